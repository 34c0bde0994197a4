"""One partition of the aggregator: events and time in, changes out.

The shipments are the only truth. What is kept here (sums per window, what is due at which hour) is a cache that
:meth:`Engine.restore` rebuilds from them; statuses come from the alerts that were emitted before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import cast

from msgspec import Struct, field

from stream.engine.alerts import make_alert
from stream.engine.numbers import NumberIndex, Use, use_of
from stream.engine.scope import DEFECT, VALID, Leaf, ScopeState, counts
from stream.engine.settings import EngineSettings
from stream.engine.span import Span, keep_until
from stream.engine.status import Levels
from stream.engine.window import Counted, Windows
from stream.events import Event, OrderShipped, Rejection, RejectionCode, TrackingScanned
from stream.policy.verdict import Policy
from stream.records import Alert, Metric, OfficialCounts, Scope, Status, encode_key
from stream.shipment import EPOCH, Shipment, ShipmentId, day_of, hour_of
from stream.state.shipments import Shipments

SWEEP_SHARES = 240
"""Each hour of event time looks at this share of the shipments for what may be forgotten: at all of them in ten days,
a quarter of the time for which they are kept anyway."""

_NEVER = 0
"""The hour before the first watermark: every shipment lies ahead of it, so nothing is counted, pending or late yet."""


class Changes(Struct):
    """What a step changes: ``shipments`` to save (None: forget), the ``watermark`` (the hour since 1970 UTC that was
    reached, where it is another), ``rejected`` events, ``alerts`` in order."""

    shipments: dict[ShipmentId, Shipment | None] = field(default_factory=dict)
    watermark: int | None = None
    rejected: list[tuple[Event, Rejection]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


class Engine:
    """The windows, statuses and time of one partition. The caller saves what has changed before the next step."""

    def __init__(
        self, policy: Policy, settings: EngineSettings, shipments: Shipments, last_alerts: Iterable[Alert] = ()
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._shipments = shipments
        self._last_alerts: dict[Scope, tuple[Status, str, datetime]] = {
            alert.scope: (alert.status, alert.alert_id, alert.since) for alert in last_alerts
        }
        self._settled_until = max((since for _, _, since in self._last_alerts.values()), default=EPOCH)
        self._span = Span(settings.lag_days, _NEVER)
        self._windows = Windows(self._span)
        self._numbers = NumberIndex() if policy.judges_reuse else None
        self._as_of = EPOCH
        self._leaves: dict[tuple[str, str, str], Leaf] = {}
        self._scopes: dict[Scope, ScopeState] = {}
        self._levels: dict[str | None, Levels] = {}
        # Dictionaries serve as sets below, because they keep the order that makes two runs alike.
        self._touched: dict[Leaf, None] = {}
        """Leaves whose sums have changed since statuses were last evaluated."""
        self._unevaluated: dict[ScopeState, None] = {}
        """Scopes that are to be evaluated although no leaf of theirs was touched."""
        self._unpublished: dict[ScopeState, None] = {}
        self._unpublished_leaves: dict[Leaf, None] = {}
        self._gone: dict[Scope, None] = {}

    @classmethod
    def restore(
        cls,
        policy: Policy,
        settings: EngineSettings,
        shipments: Shipments,
        *,
        watermark: int | None,
        last_alerts: Iterable[Alert] = (),
    ) -> "Engine":
        """An engine from the shipments, the hour that was reached, and the latest alert of each scope.

        All its scopes count as changed: what was not yet published before the restart is published after it.
        Raises :class:`~stream.state.rows.CorruptShipmentError`.
        """
        engine = cls(policy, settings, shipments, last_alerts)
        if watermark is not None:
            engine._span.move(watermark)
            engine._as_of = EPOCH + timedelta(hours=watermark)
        for scope, (status, _, _) in engine._last_alerts.items():
            if status != "ok":
                # Even where no shipment speaks of it any more: then it still has to recover.
                engine._unevaluated[engine._state(scope)] = None
        if engine._numbers is not None:
            for shipment_id, shipment in shipments.scan():
                if not engine._is_forgettable(shipment):
                    engine._numbers.update({shipment_id: use_of(shipment)})
                    engine._numbers.keep(shipment_id, keep_until(shipment, engine._span.lag_days))
        for _, shipment in shipments.scan():
            if not engine._is_forgettable(shipment):
                engine._recount(shipment)
        return engine

    @property
    def as_of(self) -> datetime:
        """The watermark: the instant the engine has reached."""
        return self._as_of

    # --- Events ------------------------------------------------------------------------------------------------------

    def apply(self, events: Sequence[Event]) -> Changes:
        """Merge the events' facts into their shipments and count these anew. Time and statuses stay as they are."""
        changes = Changes()
        horizon = self._span.horizon
        accepted: list[Event] = []
        for event in events:
            if event.event_time >= horizon or self._is_needed(event):
                accepted.append(event)
            else:
                changes.rejected.append((event, self._too_late(event)))
        shipment_ids = [(event.seller_id, event.shipment_id) for event in accepted]
        changed: dict[ShipmentId, Shipment] = {}
        to_recount: dict[ShipmentId, Shipment] = {}
        renewed: dict[ShipmentId, Shipment] = {}
        milestones = self._policy.milestones
        for shipment_id, event, shipment in zip(
            shipment_ids, accepted, self._shipments.load(shipment_ids), strict=True
        ):
            if shipment.latest < horizon and shipment.latest is not EPOCH and self._is_forgettable(shipment):
                # What may be forgotten is forgotten, whether or not the sweep has come by.
                shipment = renewed.setdefault(shipment_id, Shipment())  # noqa: PLW2901 - from here on it is this one
            elif shipment.counted is None and shipment.shipped is not None and shipment_id not in changed:
                # Just unpacked: it is counted by what was known of it until now.
                shipment.counted = self._counted(shipment.shipped, self._kind(shipment))
            if shipment.merge(event):
                changed[shipment_id] = shipment
                if event.__class__ is not TrackingScanned or event.milestone in milestones:
                    to_recount[shipment_id] = shipment
        if self._numbers is not None:
            self._note_numbers(self._numbers, to_recount)
        for shipment in to_recount.values():
            self._recount(shipment)
        changes.shipments.update(changed)
        return changes

    def _is_forgettable(self, shipment: Shipment) -> bool:
        return keep_until(shipment, self._span.lag_days) <= self._span.last_hour

    def _is_needed(self, event: Event) -> bool:
        """Whether an event that is too old to be kept for its own sake is about a shipment that a window needs."""
        return isinstance(event, OrderShipped) and not self._span.is_behind(*_hour_and_day(event))

    def _too_late(self, event: Event) -> Rejection:
        return Rejection(
            RejectionCode.TOO_LATE,
            f"`event_time` {event.event_time.isoformat()} is too old for any window as of {self._as_of.isoformat()}",
        )

    def _recount(self, shipment: Shipment) -> None:
        """Count a shipment by its latest facts, and no longer by those before."""
        shipped, counted = shipment.shipped, shipment.counted
        if shipped is None:
            return
        if counted is not None and not self._span.is_behind(counted.hour, counted.day):
            self._touched[counted.leaf] = None
            if counted.shipped is shipped:
                self._windows.change(counted, self._kind(shipment))
                return
            self._windows.remove(counted)
        counted = shipment.counted = self._counted(shipped, self._kind(shipment))
        if counted is not None:
            self._touched[counted.leaf] = None
            self._windows.add(counted)

    def _counted(self, shipped: OrderShipped, kind: int) -> Counted | None:
        """As what a shipment of this kind is to be counted; None behind the windows."""
        hour, day = _hour_and_day(shipped)
        if self._span.is_behind(hour, day):
            return None
        leaf = self._leaves.get((shipped.seller_id, shipped.marketplace, shipped.category))
        if leaf is None:
            leaf = self._new_leaf(shipped.seller_id, shipped.marketplace, shipped.category)
        return Counted(shipped, leaf, hour, day, kind)

    def _kind(self, shipment: Shipment, *, is_reused: bool | None = None) -> int:
        """The number of the verdict on a shipment that was shipped."""
        shipped, tracking = shipment.shipped, shipment.tracking
        if is_reused is None:
            is_reused = self._numbers is not None and self._numbers.is_reused(use_of(shipment))
        entered_at = None if tracking is None else shipment.entered_at()
        verdict = self._policy.judge(cast("OrderShipped", shipped), tracking, shipment.scans, entered_at, is_reused)
        return self._windows.kinds.number(verdict)

    def _new_leaf(self, seller_id: str, marketplace: str, category: str) -> Leaf:
        wider = Scope(seller_id, marketplace, category), Scope(seller_id, marketplace), Scope(seller_id)
        leaf = self._windows.new_leaf(tuple(map(self._state, wider)))
        self._leaves[seller_id, marketplace, category] = leaf
        return leaf

    def _state(self, scope: Scope) -> ScopeState:
        state = self._scopes.get(scope)
        if state is None:
            status, alert_id, _ = self._last_alerts.get(scope, ("ok", "", EPOCH))
            state = self._scopes[scope] = ScopeState(scope, self._levels_of(scope.marketplace), status, alert_id)
            self._gone.pop(scope, None)
        return state

    # --- Numbers that are used again ---------------------------------------------------------------------------------

    def _note_numbers(self, numbers: NumberIndex, changed: Mapping[ShipmentId, Shipment]) -> None:
        """Take in the numbers of shipments, and count anew the others whose own numbers have a part in that."""
        flipped = numbers.update({shipment_id: use_of(shipment) for shipment_id, shipment in changed.items()})
        for shipment_id, shipment in changed.items():
            numbers.keep(shipment_id, keep_until(shipment, self._span.lag_days))
        self._recount_flipped(flipped)

    def _recount_flipped(self, flipped: Mapping[ShipmentId, bool]) -> None:
        for shipment, was_reused in zip(self._shipments.load(list(flipped)), flipped.values(), strict=True):
            if shipment.counted is None and shipment.shipped is not None:
                shipment.counted = self._counted(shipment.shipped, self._kind(shipment, is_reused=was_reused))
            self._recount(shipment)

    def _end_numbers(self, numbers: NumberIndex) -> None:
        """Let the numbers of shipments go that are kept no longer."""
        ended: dict[ShipmentId, Use | None] = {}
        last_hour = self._span.last_hour
        ending = numbers.take_ending(last_hour)
        for shipment_id, shipment in zip(ending, self._shipments.load(ending), strict=True):
            until = keep_until(shipment, self._span.lag_days)
            if until > last_hour:
                numbers.keep(shipment_id, until)
            else:
                ended[shipment_id] = None
        self._recount_flipped(numbers.update(ended))

    # --- Time --------------------------------------------------------------------------------------------------------

    def advance(self, to: datetime) -> Changes:
        """Let time pass up to ``to``, hour by hour, and evaluate statuses at each and at the end.

        Time never goes back: for an earlier ``to``, only the statuses of what changed are evaluated.
        """
        changes = Changes()
        to = max(to, self._as_of)
        hour = hour_of(to)
        passed = hour - self._span.last_hour
        if self._span.last_hour == _NEVER:
            # There was no time before the first watermark in which a status could have changed.
            self._touched.update(dict.fromkeys(self._windows.begin(hour)))
            self._new_hour(hour)
        else:
            for passing in range(self._span.last_hour + 1, hour + 1):
                self._touched.update(dict.fromkeys(self._windows.pass_hour(passing)))
                self._new_hour(passing)
                self._as_of = EPOCH + timedelta(hours=passing)
                self._evaluate(changes)
        if passed > 0:
            changes.watermark = hour
            for _ in range(min(passed, SWEEP_SHARES)):
                old = self._shipments.forgettable(hour, self._span.horizon, SWEEP_SHARES)
                changes.shipments.update(dict.fromkeys(old))
        self._as_of = to
        self._evaluate(changes)
        return changes

    def _new_hour(self, hour: int) -> None:
        if self._numbers is not None:
            self._end_numbers(self._numbers)
        if hour % 24 == 0:
            # Everybody's official window names other days now.
            self._unpublished.update(dict.fromkeys(self._scopes.values()))
        for marketplace, levels in list(self._levels.items()):
            if self._policy.standard(marketplace, hour) != levels.standard:
                del self._levels[marketplace]
                for state in self._scopes.values():
                    if state.scope.marketplace == marketplace:
                        state.levels = self._levels_of(marketplace)
                        self._unevaluated[state] = None

    # --- Statuses and metrics ----------------------------------------------------------------------------------------

    def _levels_of(self, marketplace: str | None) -> Levels:
        levels = self._levels.get(marketplace)
        if levels is None:
            standard = self._policy.standard(marketplace, self._span.last_hour)
            levels = self._levels[marketplace] = Levels(standard, self._settings)
        return levels

    def _evaluate(self, changes: Changes) -> None:
        touched, evaluated = self._touched, self._unevaluated
        if not touched and not evaluated:
            return
        settled: dict[ScopeState, None] = {}
        if self._as_of < self._settled_until:
            settled = self._settled(touched, evaluated)
            evaluated = {state: None for state in evaluated if state not in settled}
        suspects = dict(evaluated)
        for leaf in touched:
            for state in leaf.scopes:
                valid = state.live[VALID]
                n, d = state.levels.fine
                # Most scopes are ok and stay it.
                if (valid * d < n * (valid + state.live[DEFECT]) or state.status != "ok") and state not in settled:
                    suspects[state] = None
        self._say_changed(suspects, changes)
        self._touched, self._unevaluated = {}, settled
        self._unpublished.update(evaluated)
        self._unpublished_leaves.update(touched)
        self._drop_emptied([leaf for leaf in touched if not leaf.size], evaluated)

    def _settled(self, touched: Iterable[Leaf], others: Iterable[ScopeState]) -> dict[ScopeState, None]:
        """The scopes that have said at a later instant what their status is.

        After a crash between the alerts of a step and its watermark, the step's hours pass again. What was said in
        them stands; to evaluate it from their beginning would say other things on the way there.
        """
        never = ("ok", "", EPOCH)
        states = chain(others, *(leaf.scopes for leaf in touched))
        return {state: None for state in states if self._last_alerts.get(state.scope, never)[2] > self._as_of}

    def _say_changed(self, suspects: Iterable[ScopeState], changes: Changes) -> None:
        """Alerts for those of the scopes whose status is not what it was."""
        changed: list[tuple[bytes, ScopeState, Status]] = []
        for state in suspects:
            valid = state.live[VALID]
            status = state.levels.status(state.status, valid, valid + state.live[DEFECT])
            if status != state.status:
                changed.append((encode_key(state.scope), state, status))
        changed.sort(key=itemgetter(0))
        for _, state, status in changed:
            previous, state.status = state.status, status
            alert = make_alert(state, self._metric(state), previous, self._settings.source, self._windows.kinds)
            state.alert_id = alert.alert_id
            self._last_alerts[state.scope] = (status, alert.alert_id, alert.since)
            changes.alerts.append(alert)

    def _drop_emptied(self, emptied: Iterable[Leaf], others: Iterable[ScopeState]) -> None:
        """Forget leaves on which nothing is counted, and the scopes that were those of nothing else."""
        bare = dict.fromkeys(others)
        for leaf in emptied:
            seller_id, marketplace, category = leaf.scopes[0].scope
            del self._leaves[seller_id, marketplace or "", category or ""]
            del self._unpublished_leaves[leaf]
            self._windows.drop_leaf(leaf)
            for state in leaf.scopes:
                self._unpublished[state] = None
                if state not in self._unevaluated:
                    bare[state] = None
        for state in bare:
            if not state.leaves:
                del self._scopes[state.scope]
                self._unpublished.pop(state, None)
                self._gone[state.scope] = None

    def scopes(self) -> list[ScopeState]:
        """Every scope as it stands, in no order: to look at, not to change. Any thread may ask."""
        return list(self._scopes.values())

    def metrics(self) -> list[Metric]:
        """The metrics of every scope, sorted by key."""
        return [self._metric(state) for _, state in sorted((encode_key(s), state) for s, state in self._scopes.items())]

    def take_gone(self) -> list[Scope]:
        """The scopes that went since they were last taken: whoever keeps their metrics must forget them."""
        gone, self._gone = list(self._gone), {}
        return gone

    def take_metrics(self) -> list[tuple[Scope, Metric | None]]:
        """The metrics that say something new since they were last taken; None for a scope that is gone."""
        taken: list[tuple[Scope, Metric | None]] = [(scope, None) for scope in self.take_gone()]
        for leaf in self._unpublished_leaves:
            for state in leaf.scopes:
                self._unpublished[state] = None
        self._unpublished_leaves.clear()
        for state in self._unpublished:
            said = (*state.live, *state.official, self._span.last_day, state.status)
            if said != state.published:
                state.published = said
                taken.append((state.scope, self._metric(state)))
        self._unpublished.clear()
        return taken

    def _metric(self, state: ScopeState) -> Metric:
        levels = state.levels
        live, official = counts(state.live), counts(state.official)
        return Metric(
            seller_id=state.scope.seller_id,
            marketplace=state.scope.marketplace,
            category=state.scope.category,
            as_of=self._as_of,
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


def _hour_and_day(shipped: OrderShipped) -> tuple[int, int]:
    return hour_of(shipped.shipped_at), day_of(shipped.promised_delivery_by or shipped.shipped_at)
