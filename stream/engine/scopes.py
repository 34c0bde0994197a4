"""The scopes of a partition: which there are, their statuses and alerts, and which metrics say something new."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import Final

from stream.engine.alerts import make_alert
from stream.engine.scope import Leaf, Names, Said, ScopeState, counts, rate
from stream.engine.settings import EngineSettings
from stream.engine.status import Levels
from stream.engine.window import Kinds
from stream.policy.verdict import Policy
from stream.records import Alert, Metric, OfficialCounts, Scope, Status, encode_key
from stream.shipment import EPOCH
from stream.span import Span

_EMPTIED: Final[Said] = ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), -2, "ok")
"""As what was published of a scope whose metric is forgotten."""

_NEVER: Final[tuple[Status, str, datetime]] = ("ok", "", EPOCH)
"""The last alert of a scope that never had any."""


class Scopes:
    """The scopes of a partition."""

    def __init__(
        self,
        policy: Policy,
        settings: EngineSettings,
        span: Span,
        kinds: Kinds,
        last_alerts: Iterable[Alert],
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._span = span
        self._kinds = kinds
        self._last_alerts: dict[Names, tuple[Status, str, datetime]] = {
            alert.scope: (alert.status, alert.alert_id, alert.since) for alert in last_alerts
        }
        self._settled_until = max((since for _, _, since in self._last_alerts.values()), default=EPOCH)
        self._states: dict[Names, ScopeState] = {}
        self._levels: dict[str | None, Levels] = {}
        # Dictionaries serve as sets below, because they keep the order that makes two runs alike.
        self._unevaluated: dict[ScopeState, None] = {}
        """Scopes that are to be evaluated although no leaf of theirs was touched."""
        self._held: dict[ScopeState, None] = {}
        """Scopes that are not evaluated until they are released."""
        self._unpublished: dict[ScopeState, None] = {}
        self._unpublished_leaves: dict[Leaf, None] = {}
        self._is_new_day = False
        """Whether all scopes are unpublished: everybody's official window names other days."""
        self._due: dict[ScopeState, None] = {}
        """Scopes whose metrics are being taken. What changes meanwhile is unpublished, and waits until all are."""
        self._gone: dict[Names, None] = {}
        self._days: tuple[int, date, date] = (0, EPOCH.date(), EPOCH.date())
        """The last day of the official window, and its first and last as metrics name them."""

    def state(self, names: Names) -> ScopeState:
        """The state of the scope of these names, which is there from now on."""
        state = self._states.get(names)
        if state is None:
            status, alert_id, _ = self._last_alerts.get(names, _NEVER)
            state = self._states[names] = ScopeState(names, self._levels_of(names[1]), status, alert_id)
            self._gone.pop(names, None)
        return state

    def recall(self) -> None:
        """Let the scopes be there that were not ok when they last said something.

        Even where no shipment speaks of them any more: then they still have to recover.
        """
        for names, (status, _, _) in self._last_alerts.items():
            if status != "ok":
                self._unevaluated[self.state(names)] = None

    def pass_hour(self, hour: int) -> None:
        """What an hour changes for all scopes: the days that a window names, the level that a marketplace asks for."""
        if hour % 24 == 0:
            self._is_new_day = True
        for marketplace, levels in list(self._levels.items()):
            if self._policy.standard(marketplace, hour) != levels.standard:
                del self._levels[marketplace]
                for state in self._states.values():
                    if state.names[1] == marketplace:
                        state.levels = self._levels_of(marketplace)
                        self._unevaluated[state] = None

    def hold(self, states: Iterable[ScopeState]) -> None:
        """Leave the statuses of these scopes as they are until :meth:`release`."""
        self._held.update(dict.fromkeys(states))

    def release(self) -> None:
        """Let the scopes that were held be evaluated."""
        self._unevaluated.update(self._held)
        self._held.clear()

    def _levels_of(self, marketplace: str | None) -> Levels:
        levels = self._levels.get(marketplace)
        if levels is None:
            standard = self._policy.standard(marketplace, self._span.last_hour)
            levels = self._levels[marketplace] = Levels(standard, self._settings)
        return levels

    # --- Statuses ----------------------------------------------------------------------------------------------------

    def evaluate(self, touched: Mapping[Leaf, None], as_of: datetime, drop_leaf: Callable[[Leaf], None]) -> list[Alert]:
        """Evaluate the scopes of leaves whose sums have changed since the last time, and those that time has touched.

        ``drop_leaf`` is called with each leaf on which nothing is counted any more. Returns the alerts, in order of
        the scopes' keys.
        """
        evaluated = self._unevaluated
        if not touched and not evaluated:
            return []
        settled: dict[ScopeState, None] = {}
        if as_of < self._settled_until:
            settled = self._settled(touched, evaluated, as_of)
            evaluated = {state: None for state in evaluated if state not in settled}
        held = self._held
        suspects = {state: None for state in evaluated if state not in held}
        for leaf in touched:
            for state in leaf.scopes:
                valid = state.live.valid
                n, d = state.levels.fine
                # Most scopes are ok and stay it.
                is_suspect = valid * d < n * (valid + state.live.defects) or state.status != "ok"
                if is_suspect and state not in settled and state not in held:
                    suspects[state] = None
        alerts = self._alerts(suspects, as_of)
        self._unevaluated = settled
        self._unpublished.update(evaluated)
        self._unpublished_leaves.update(touched)
        self._drop_emptied([leaf for leaf in touched if not leaf.size], evaluated, drop_leaf)
        return alerts

    def _settled(
        self, touched: Iterable[Leaf], others: Iterable[ScopeState], as_of: datetime
    ) -> dict[ScopeState, None]:
        """The scopes that have said at a later instant what their status is.

        After a crash between the alerts of a step and its watermark, the step's hours pass again. What was said in
        them stands; to evaluate it from their beginning would say other things on the way there.
        """
        states = chain(others, *(leaf.scopes for leaf in touched))
        return {state: None for state in states if self._last_alerts.get(state.names, _NEVER)[2] > as_of}

    def _alerts(self, suspects: Iterable[ScopeState], as_of: datetime) -> list[Alert]:
        """The alerts of those scopes whose status is not what it was."""
        alerts: list[Alert] = []
        changed: list[tuple[bytes, ScopeState, Status]] = []
        for state in suspects:
            valid = state.live.valid
            status = state.levels.status(state.status, valid, valid + state.live.defects)
            if status != state.status:
                changed.append((encode_key(state.names), state, status))
        changed.sort(key=itemgetter(0))
        for _, state, status in changed:
            previous, state.status = state.status, status
            alert = make_alert(state, self.metric_of(state, as_of), previous, self._settings.source, self._kinds)
            state.alert_id = alert.alert_id
            self._last_alerts[state.names] = (status, alert.alert_id, alert.since)
            alerts.append(alert)
        return alerts

    def _drop_emptied(
        self, emptied: Iterable[Leaf], others: Iterable[ScopeState], drop_leaf: Callable[[Leaf], None]
    ) -> None:
        """Forget leaves on which nothing is counted, and the scopes that were those of nothing else."""
        bare = {state: None for state in others if state not in self._held}
        for leaf in emptied:
            del self._unpublished_leaves[leaf]
            drop_leaf(leaf)
            for state in leaf.scopes:
                self._unpublished[state] = None
                if state not in self._unevaluated and state not in self._held:
                    bare[state] = None
        for state in bare:
            if not state.leaves:
                del self._states[state.names]
                self._unpublished.pop(state, None)
                self._due.pop(state, None)
                self._gone[state.names] = None

    # --- Metrics -----------------------------------------------------------------------------------------------------

    def states(self) -> list[ScopeState]:
        """Every scope as it stands, in no order. Any thread may ask."""
        return list(self._states.values())

    def metrics(self, as_of: datetime) -> list[Metric]:
        """The metrics of every scope, sorted by key."""
        by_key = sorted((encode_key(names), state) for names, state in self._states.items())
        return [self.metric_of(state, as_of) for _, state in by_key]

    def emptied(self, touched: Iterable[Leaf]) -> list[Scope]:
        """The scopes on which nothing is counted any more, before they are evaluated, each once. Whatever comes of them
        is said anew."""
        # A leaf on which nothing is counted is among the touched, for it is dropped as they are evaluated.
        empty: dict[ScopeState, int] = {}
        for leaf in touched:
            if not leaf.size:
                for state in leaf.scopes:
                    empty[state] = empty.get(state, 0) + 1
        emptied = [state for state, leaves in empty.items() if leaves == state.leaves and state.published != _EMPTIED]
        for state in emptied:
            state.published = _EMPTIED
        return [state.scope for state in emptied]

    def take_gone(self) -> list[Scope]:
        """The scopes that went since they were last taken: whoever keeps their metrics must forget them."""
        gone, self._gone = [Scope(*names) for names in self._gone], {}
        return gone

    @property
    def has_due_metrics(self) -> bool:
        """Whether metrics are left over that were due when some were last taken."""
        return bool(self._due)

    def take_metrics(self, as_of: datetime, most: int | None) -> list[Metric]:
        """The metrics that say something new since they were last taken.

        ``most``: so many at most. The others are left over, and taken before any that change from now on.
        """
        if most is None or not self._due:
            self._let_be_due()
        taken: list[Metric] = []
        looked_at: list[ScopeState] = []
        for state in self._due:
            if len(taken) == most:
                break
            looked_at.append(state)
            said = state.live.totals(), state.official.totals(), self._span.last_day, state.status
            if said != state.published:
                state.published = said
                taken.append(self.metric_of(state, as_of))
        for state in looked_at:
            del self._due[state]
        return taken

    def _let_be_due(self) -> None:
        if self._is_new_day:
            self._due.update(dict.fromkeys(self._states.values()))
        else:
            self._due.update(self._unpublished)
            for leaf in self._unpublished_leaves:
                for state in leaf.scopes:
                    self._due[state] = None
        self._is_new_day = False
        self._unpublished.clear()
        self._unpublished_leaves.clear()

    def metric_of(self, state: ScopeState, as_of: datetime) -> Metric:
        """The metric of one scope, as it stands."""
        seller_id, marketplace, category = state.names
        levels, status = state.levels, state.status
        live = counts(state.live.totals())
        valid, defects, pending, exempt, ambiguous = state.official.totals()
        first_day, last_day = self._official_days()
        return Metric(
            seller_id=seller_id,
            marketplace=marketplace,
            category=category,
            as_of=as_of,
            live=live,
            official=OfficialCounts(
                from_=first_day,
                to=last_day,
                counted=valid + defects,
                valid=valid,
                defects=defects,
                pending=pending,
                exempt=exempt,
                ambiguous=ambiguous,
                vtr=rate(valid, valid + defects),
            ),
            threshold=levels.threshold,
            status=status,
            allowance=levels.allowance(status, live.valid, live.counted),
            needed_to_recover=levels.needed_to_recover(status, live.valid, live.counted),
            policy=levels.standard.policy,
        )

    def _official_days(self) -> tuple[date, date]:
        last_day, first, last = self._days
        if last_day != self._span.last_day:
            last_day = self._span.last_day
            first = (EPOCH + timedelta(days=self._span.first_day)).date()
            last = (EPOCH + timedelta(days=last_day)).date()
            self._days = last_day, first, last
        return first, last
