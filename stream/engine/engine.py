"""One partition of the aggregator: events and time in, changes out.

The shipments are the only truth. What is kept here (sums per window, what is due at which hour) is a cache that
:meth:`Engine.restore` rebuilds from them, or takes as it was when they were the same; statuses come from the alerts
that were emitted before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, cast

from stream.engine.numbers import NumberIndex, Use, use_of
from stream.engine.recount import Recount
from stream.engine.scope import Leaf, ScopeState
from stream.engine.scopes import Scopes
from stream.engine.settings import EngineSettings
from stream.engine.silence import silences
from stream.engine.window import Counted, KeptWindows, Windows
from stream.events import Event, OrderShipped, Rejection, RejectionCode, TrackingScanned
from stream.policy.verdict import Policy
from stream.records import Alert, Metric, Scope
from stream.shipment import EPOCH, Shipment, ShipmentId, hour_of, promised_day
from stream.span import Span, keep_until
from stream.state.shipments import Shipments

SWEEP_SHARES: Final = 240
"""Each hour of event time looks at this share of the shipments for what may be forgotten: at all of them in ten days,
a quarter of the time for which they are kept anyway."""

_SCANNED: Final = TrackingScanned  # compiled code looks up names of other modules each time
_NEVER: Final = 0
"""The hour before the first watermark: every shipment lies ahead of it, so nothing is counted, pending or late yet."""


class Changes:
    """What a step changes: ``shipments`` to save (None: forget), the ``watermark`` (the hour since 1970 UTC that was
    reached, where it is another), ``rejected`` events, ``alerts`` in order.

    ``late`` are the leaves of shipments whose event came when their grace was over: defects as they come, though what
    they await may be on its way."""

    def __init__(self) -> None:
        self.shipments: dict[ShipmentId, Shipment | None] = {}
        self.watermark: int | None = None
        self.rejected: list[tuple[Event, Rejection]] = []
        self.alerts: list[Alert] = []
        self.late: dict[Leaf, None] = {}


class Engine:
    """The windows, statuses and time of one partition. The caller saves what has changed before the next step."""

    def __init__(
        self, policy: Policy, settings: EngineSettings, shipments: Shipments, last_alerts: Iterable[Alert] = ()
    ) -> None:
        self._policy = policy
        self._shipments = shipments
        self._span = Span(settings.lag_days, _NEVER)
        self._windows = Windows(self._span)
        self._numbers = NumberIndex() if policy.judges_reuse else None
        self._as_of = EPOCH
        self._leaves: dict[tuple[str, str, str], Leaf] = {}
        self._touched: dict[Leaf, None] = {}
        """Leaves whose sums have changed since statuses were last evaluated, in the order that makes two runs alike."""
        self._scopes = Scopes(policy, settings, self._span, self._windows.kinds, last_alerts)
        self._late: dict[Leaf, None] = {}
        """Leaves of shipments whose event came when their grace was over."""

    @classmethod
    def restore(
        cls,
        policy: Policy,
        settings: EngineSettings,
        shipments: Shipments,
        *,
        watermark: int | None,
        last_alerts: Iterable[Alert] = (),
        kept: KeptWindows | None = None,
    ) -> "Engine":
        """An engine from the shipments, the hour that was reached, and the latest alert of each scope.

        All its scopes count as changed: what was not yet published before the restart is published after it.
        ``kept`` are the windows that another engine had of these very shipments, by the same rules and at this hour,
        see :meth:`kept`: then no shipment is looked at. Raises :class:`~stream.state.rows.CorruptShipmentError`.
        """
        engine = cls(policy, settings, shipments, last_alerts)
        if watermark is not None:
            engine._span.move(watermark)
            engine._as_of = EPOCH + timedelta(hours=watermark)
        engine._scopes.recall()
        if kept is not None:
            for number, seller_id, marketplace, category in kept.leaves:
                engine._touched[engine._new_leaf(seller_id, marketplace, category, number)] = None
            engine._windows.go_on(kept)
            return engine
        if engine._numbers is not None:
            for shipment_id, shipment in shipments.scan():
                if not engine._is_forgettable(shipment):
                    engine._numbers.update({shipment_id: use_of(shipment)})
                    engine._numbers.keep(shipment_id, keep_until(shipment, engine._span.lag_days))
        engine._count_anew()
        return engine

    def _count_anew(self) -> None:
        """Count every shipment, where none is counted yet."""
        recount = Recount(self._windows)
        for _, shipment in self._shipments.scan():
            shipped = shipment.shipped
            if shipped is None:
                continue
            hour, day = _hour_and_day(shipped)
            if self._span.is_behind(hour, day):
                continue  # as everything is that may be forgotten
            recount.add(self._leaf_of(shipped), hour, day, self._kind(shipment))
        self._touched.update(dict.fromkeys(self._leaves.values()))
        self._windows.hold(recount.hours, recount.days)

    def kept(self) -> KeptWindows | None:
        """The windows, for an engine that is restored when all that this one gave is stored; to be packed at once.

        None where they do not say all: which numbers are used again, and that shipments are stored as needed for too
        short a time, is known from the shipments only.
        """
        if self._numbers is not None or self._shipments.hours_short:
            return None
        return self._windows.kept(self._leaves)

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
        changed = changes.shipments
        to_recount: dict[Shipment, ShipmentId] = {}
        milestones = self._policy.milestones
        for shipment_id, event, shipment in zip(
            shipment_ids, accepted, self._shipments.load(shipment_ids), strict=True
        ):
            if shipment.latest < horizon and shipment.latest is not EPOCH and self._is_forgettable(shipment):
                # What may be forgotten is forgotten, whether or not the sweep has come by.
                shipment.clear()
            elif shipment.counted is None and shipment.shipped is not None and shipment_id not in changed:
                # Just unpacked: it is counted by what was known of it until now.
                shipment.counted = self._counted(shipment.shipped, self._kind(shipment))
            if shipment.merge(event):
                changed[shipment_id] = shipment
                if event.__class__ is not _SCANNED or event.milestone in milestones:
                    to_recount[shipment] = shipment_id
        if self._numbers is not None:
            self._note_numbers(self._numbers, {shipment_id: shipment for shipment, shipment_id in to_recount.items()})
        for shipment in to_recount:
            self._recount(shipment)
        if self._late:
            changes.late, self._late = self._late, {}
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
            grace = self._windows.kinds.graces[counted.kind]
            if grace is not None and self._span.is_past_grace(hour_of(shipped.event_time), grace):
                self._late[counted.leaf] = None

    def _counted(self, shipped: OrderShipped, kind: int) -> Counted | None:
        """As what a shipment of this kind is to be counted; None behind the windows."""
        hour, day = _hour_and_day(shipped)
        if self._span.is_behind(hour, day):
            return None
        return Counted(shipped, self._leaf_of(shipped), hour, day, kind)

    def _kind(self, shipment: Shipment, *, is_reused: bool | None = None) -> int:
        """The number of the verdict on a shipment that was shipped."""
        shipped, tracking = shipment.shipped, shipment.tracking
        if is_reused is None:
            is_reused = self._numbers is not None and self._numbers.is_reused(use_of(shipment))
        entered_at = None if tracking is None else shipment.entered_at()
        rules = shipment.rules
        if rules is None:
            rules = shipment.rules = self._policy.rules_for(cast("OrderShipped", shipped))
        verdict = rules.judge(cast("OrderShipped", shipped), tracking, shipment.scans, entered_at, is_reused)
        return self._windows.kinds.number(verdict)

    def _leaf_of(self, shipped: OrderShipped) -> Leaf:
        """The leaf of a shipment, which is there from now on."""
        leaf = self._leaves.get((shipped.seller_id, shipped.marketplace, shipped.category))
        return self._new_leaf(shipped.seller_id, shipped.marketplace, shipped.category) if leaf is None else leaf

    def _new_leaf(self, seller_id: str, marketplace: str, category: str, number: int = 0) -> Leaf:
        names = seller_id, marketplace, category
        state_of = self._scopes.state
        scopes = state_of(names), state_of((seller_id, marketplace, None)), state_of((seller_id, None, None))
        leaf = self._leaves[names] = self._windows.new_leaf(scopes, number)
        return leaf

    def _drop_leaf(self, leaf: Leaf) -> None:
        seller_id, marketplace, category = leaf.scopes[0].names
        del self._leaves[seller_id, marketplace or "", category or ""]
        self._windows.drop_leaf(leaf)

    def hold(self, leaves: Iterable[Leaf]) -> None:
        """Let the statuses of these leaves' scopes stay what they are, whatever comes, until :meth:`release`."""
        for leaf in leaves:
            self._scopes.hold(leaf.scopes)

    def release(self) -> None:
        """Let all statuses follow what has come."""
        self._scopes.release()

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
        self._scopes.pass_hour(hour)

    def _evaluate(self, changes: Changes) -> None:
        changes.alerts += self._scopes.evaluate(self._touched, self._as_of, self._drop_leaf)
        self._touched = {}

    # --- Scopes ------------------------------------------------------------------------------------------------------

    def scopes(self) -> list[ScopeState]:
        """Every scope as it stands, in no order: to look at, not to change. Any thread may ask."""
        return self._scopes.states()

    def silences(self) -> dict[str, int]:
        """Hours for which sellers ship without giving tracking, see :func:`silences`. Any thread may ask."""
        return silences(self._windows)

    def metrics(self) -> list[Metric]:
        """The metrics of every scope, sorted by key."""
        return self._scopes.metrics(self._as_of)

    def metric_of(self, state: ScopeState) -> Metric:
        """The metric of one scope, as it stands."""
        return self._scopes.metric_of(state, self._as_of)

    def emptied(self) -> list[Scope]:
        """The scopes on which events have left nothing, where time has not passed since. Whoever keeps their metrics
        must forget them before the shipments are stored: after that, a successor could not know of them."""
        return self._scopes.emptied(self._touched)

    def take_gone(self) -> list[Scope]:
        """The scopes that went since they were last taken: whoever keeps their metrics must forget them."""
        return self._scopes.take_gone()

    @property
    def has_due_metrics(self) -> bool:
        """Whether metrics are left over that were due when some were last taken."""
        return self._scopes.has_due_metrics

    def take_metrics(self, most: int | None = None) -> list[Metric]:
        """The metrics that say something new since they were last taken; see :meth:`take_gone` for scopes that went.

        ``most``: so many at most. The others are left over, and taken before any that change from now on.
        """
        return self._scopes.take_metrics(self._as_of, most)


def _hour_and_day(shipped: OrderShipped) -> tuple[int, int]:
    return hour_of(shipped.shipped_at), promised_day(shipped)
