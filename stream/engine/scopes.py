"""The scopes of a partition: which there are, their statuses and alerts, and which metrics say something new."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import Final

from stream.engine.alerts import make_alert
from stream.engine.scope import DEFECT, VALID, Leaf, ScopeState, counts
from stream.engine.settings import EngineSettings
from stream.engine.status import Levels
from stream.engine.window import Kinds
from stream.policy.verdict import Policy
from stream.records import Alert, Metric, OfficialCounts, Scope, Status, encode_key
from stream.shipment import EPOCH
from stream.span import Span

_EMPTIED: Final = ()
"""As what was published of a scope whose metric is forgotten."""


class Scopes:
    """The scopes of a partition. ``drop_leaf`` is called with a leaf on which nothing is counted any more."""

    def __init__(
        self,
        policy: Policy,
        settings: EngineSettings,
        span: Span,
        kinds: Kinds,
        last_alerts: Iterable[Alert],
        drop_leaf: Callable[[Leaf], None],
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._span = span
        self._kinds = kinds
        self._drop_leaf = drop_leaf
        self._last_alerts: dict[Scope, tuple[Status, str, datetime]] = {
            alert.scope: (alert.status, alert.alert_id, alert.since) for alert in last_alerts
        }
        self._settled_until = max((since for _, _, since in self._last_alerts.values()), default=EPOCH)
        self._states: dict[Scope, ScopeState] = {}
        self._levels: dict[str | None, Levels] = {}
        # Dictionaries serve as sets below, because they keep the order that makes two runs alike.
        self._unevaluated: dict[ScopeState, None] = {}
        """Scopes that are to be evaluated although no leaf of theirs was touched."""
        self._unpublished: dict[ScopeState, None] = {}
        self._unpublished_leaves: dict[Leaf, None] = {}
        self._due: dict[ScopeState, None] = {}
        """Scopes whose metrics are being taken. What changes meanwhile is unpublished, and waits until all are."""
        self._gone: dict[Scope, None] = {}

    def state(self, scope: Scope) -> ScopeState:
        """The state of a scope, which is there from now on."""
        state = self._states.get(scope)
        if state is None:
            status, alert_id, _ = self._last_alerts.get(scope, ("ok", "", EPOCH))
            state = self._states[scope] = ScopeState(scope, self._levels_of(scope.marketplace), status, alert_id)
            self._gone.pop(scope, None)
        return state

    def recall(self) -> None:
        """Let the scopes be there that were not ok when they last said something.

        Even where no shipment speaks of them any more: then they still have to recover.
        """
        for scope, (status, _, _) in self._last_alerts.items():
            if status != "ok":
                self._unevaluated[self.state(scope)] = None

    def pass_hour(self, hour: int) -> None:
        """What an hour changes for all scopes: the days that a window names, the level that a marketplace asks for."""
        if hour % 24 == 0:
            # Everybody's official window names other days now.
            self._unpublished.update(dict.fromkeys(self._states.values()))
        for marketplace, levels in list(self._levels.items()):
            if self._policy.standard(marketplace, hour) != levels.standard:
                del self._levels[marketplace]
                for state in self._states.values():
                    if state.scope.marketplace == marketplace:
                        state.levels = self._levels_of(marketplace)
                        self._unevaluated[state] = None

    def _levels_of(self, marketplace: str | None) -> Levels:
        levels = self._levels.get(marketplace)
        if levels is None:
            standard = self._policy.standard(marketplace, self._span.last_hour)
            levels = self._levels[marketplace] = Levels(standard, self._settings)
        return levels

    # --- Statuses ----------------------------------------------------------------------------------------------------

    def evaluate(self, touched: Mapping[Leaf, None], as_of: datetime) -> list[Alert]:
        """Evaluate the scopes of leaves whose sums have changed since the last time, and those that time has touched.

        Returns the alerts, in order of the scopes' keys.
        """
        evaluated = self._unevaluated
        if not touched and not evaluated:
            return []
        settled: dict[ScopeState, None] = {}
        if as_of < self._settled_until:
            settled = self._settled(touched, evaluated, as_of)
            evaluated = {state: None for state in evaluated if state not in settled}
        suspects = dict(evaluated)
        for leaf in touched:
            for state in leaf.scopes:
                valid = state.live[VALID]
                n, d = state.levels.fine
                # Most scopes are ok and stay it.
                if (valid * d < n * (valid + state.live[DEFECT]) or state.status != "ok") and state not in settled:
                    suspects[state] = None
        alerts = self._alerts(suspects, as_of)
        self._unevaluated = settled
        self._unpublished.update(evaluated)
        self._unpublished_leaves.update(touched)
        self._drop_emptied([leaf for leaf in touched if not leaf.size], evaluated)
        return alerts

    def _settled(
        self, touched: Iterable[Leaf], others: Iterable[ScopeState], as_of: datetime
    ) -> dict[ScopeState, None]:
        """The scopes that have said at a later instant what their status is.

        After a crash between the alerts of a step and its watermark, the step's hours pass again. What was said in
        them stands; to evaluate it from their beginning would say other things on the way there.
        """
        never = ("ok", "", EPOCH)
        states = chain(others, *(leaf.scopes for leaf in touched))
        return {state: None for state in states if self._last_alerts.get(state.scope, never)[2] > as_of}

    def _alerts(self, suspects: Iterable[ScopeState], as_of: datetime) -> list[Alert]:
        """The alerts of those scopes whose status is not what it was."""
        alerts: list[Alert] = []
        changed: list[tuple[bytes, ScopeState, Status]] = []
        for state in suspects:
            valid = state.live[VALID]
            status = state.levels.status(state.status, valid, valid + state.live[DEFECT])
            if status != state.status:
                changed.append((encode_key(state.scope), state, status))
        changed.sort(key=itemgetter(0))
        for _, state, status in changed:
            previous, state.status = state.status, status
            alert = make_alert(state, self._metric(state, as_of), previous, self._settings.source, self._kinds)
            state.alert_id = alert.alert_id
            self._last_alerts[state.scope] = (status, alert.alert_id, alert.since)
            alerts.append(alert)
        return alerts

    def _drop_emptied(self, emptied: Iterable[Leaf], others: Iterable[ScopeState]) -> None:
        """Forget leaves on which nothing is counted, and the scopes that were those of nothing else."""
        bare = dict.fromkeys(others)
        for leaf in emptied:
            del self._unpublished_leaves[leaf]
            self._drop_leaf(leaf)
            for state in leaf.scopes:
                self._unpublished[state] = None
                if state not in self._unevaluated:
                    bare[state] = None
        for state in bare:
            if not state.leaves:
                del self._states[state.scope]
                self._unpublished.pop(state, None)
                self._due.pop(state, None)
                self._gone[state.scope] = None

    # --- Metrics -----------------------------------------------------------------------------------------------------

    def states(self) -> list[ScopeState]:
        """Every scope as it stands, in no order. Any thread may ask."""
        return list(self._states.values())

    def metrics(self, as_of: datetime) -> list[Metric]:
        """The metrics of every scope, sorted by key."""
        by_key = sorted((encode_key(scope), state) for scope, state in self._states.items())
        return [self._metric(state, as_of) for _, state in by_key]

    def metric_of(self, state: ScopeState, as_of: datetime) -> Metric:
        """The metric of one scope, as it stands."""
        return self._metric(state, as_of)

    def emptied(self, touched: Iterable[Leaf]) -> list[Scope]:
        """The scopes on which nothing is counted any more, before they are evaluated, each once. Whatever comes of them
        is said anew."""
        emptied: dict[ScopeState, None] = {}
        for leaf in touched:
            if not leaf.size:
                for state in leaf.scopes:
                    if state.published != _EMPTIED and not any(each.size for each in state.leaves):
                        emptied[state] = None
        for state in emptied:
            state.published = _EMPTIED
        return [state.scope for state in emptied]

    def take_gone(self) -> list[Scope]:
        """The scopes that went since they were last taken: whoever keeps their metrics must forget them."""
        gone, self._gone = list(self._gone), {}
        return gone

    @property
    def has_due_metrics(self) -> bool:
        """Whether metrics are left over that were due when some were last taken."""
        return bool(self._due)

    def take_metrics(self, as_of: datetime, most: int | None) -> list[tuple[Scope, Metric | None]]:
        """The metrics that say something new since they were last taken; None for a scope that is gone.

        ``most``: so many metrics at most. The others are left over, and taken before any that change from now on.
        """
        taken: list[tuple[Scope, Metric | None]] = [(scope, None) for scope in self.take_gone()]
        if most is None or not self._due:
            for leaf in self._unpublished_leaves:
                for state in leaf.scopes:
                    self._unpublished[state] = None
            self._unpublished_leaves.clear()
            self._due.update(self._unpublished)
            self._unpublished.clear()
        left = len(self._due) if most is None else most
        looked_at: list[ScopeState] = []
        for state in self._due:
            if left == 0:
                break
            looked_at.append(state)
            said = (*state.live, *state.official, self._span.last_day, state.status)
            if said != state.published:
                state.published = said
                taken.append((state.scope, self._metric(state, as_of)))
                left -= 1
        for state in looked_at:
            del self._due[state]
        return taken

    def _metric(self, state: ScopeState, as_of: datetime) -> Metric:
        levels = state.levels
        live, official = counts(state.live), counts(state.official)
        return Metric(
            seller_id=state.scope.seller_id,
            marketplace=state.scope.marketplace,
            category=state.scope.category,
            as_of=as_of,
            live=live,
            official=OfficialCounts(
                from_=(EPOCH + timedelta(days=self._span.first_day)).date(),
                to=(EPOCH + timedelta(days=self._span.last_day)).date(),
                counted=official.counted,
                valid=official.valid,
                defects=official.defects,
                pending=official.pending,
                exempt=official.exempt,
                ambiguous=official.ambiguous,
                vtr=official.vtr,
            ),
            threshold=float(levels.standard.threshold),
            status=state.status,
            allowance=levels.allowance(state.status, live.valid, live.counted),
            needed_to_recover=levels.needed_to_recover(state.status, live.valid, live.counted),
            policy=levels.standard.policy,
        )
