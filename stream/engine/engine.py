"""One partition of the aggregator: events and time in, changes out.

The shipments in the store are the only truth. What is kept here (sums per window, what is due at which hour) is a
cache that :meth:`Engine.restore` rebuilds from them; statuses come from the alerts that were emitted before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field

from stream.engine.alerts import make_alert
from stream.engine.scope import ScopeState, counts
from stream.engine.settings import EngineSettings
from stream.engine.status import Levels
from stream.engine.window import Agenda, Kinds, Leaf, Span
from stream.events import Event, Rejection, RejectionCode
from stream.policy.standard import FactPolicy as Policy
from stream.policy.verdict import Outcome, Verdict
from stream.records import Alert, Metric, OfficialCounts, Scope, Status, encode_key
from stream.shipment import (
    DAY,
    HOUR,
    MICROSECOND,
    Fact,
    Shipment,
    ShippedFact,
    fact_of,
    forgettable,
    kept_until,
    pack,
    seconds,
    shipment_key,
    split_key,
    unpack,
)
from stream.state.store import Store

KEEP_HOURS = 40 * 24
"""A shipment is kept this long after its latest fact even where no window needs it, so that a correction that
overtakes the fact it corrects by less than 40 days still wins over it."""

_HOUR_US = HOUR * MICROSECOND

SWEEP_SHARES = 96
"""Each hour of event time looks at this share of the rows for what may be forgotten: at all of them in four days, a
tenth of the time for which they are kept anyway."""

WATERMARK_KEY = b"\x00\x00watermark"
"""The row that keeps the hour the partition has reached. No shipment's key begins like it: no seller id is empty."""

_WATERMARK_PREFIX = b"\x01\xff\xff\xff\xff"
"""In the form of a shipment's row that is never forgotten, so that a sweep need not tell it apart."""

_VALID, _DEFECT = int(Outcome.VALID), int(Outcome.DEFECT)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = 0
"""The hour before the first watermark: every shipment lies ahead of it, so nothing is counted, pending or late yet."""


class Changes(Struct):
    """What a step changes: ``rows`` to store (None: delete), ``rejected`` events, ``alerts`` in order."""

    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    rejected: list[tuple[Event, Rejection]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


class _Working(Struct):
    """A shipment while a batch changes it, and the fact and verdict by which it was counted until then."""

    seller_id: str
    shipment: Shipment
    keep_until: int
    shipped_before: ShippedFact | None
    verdict_before: Verdict | None
    changed: bool = False


class Engine:
    """The windows, statuses and time of one partition. The caller stores :attr:`Changes.rows` before the next step."""

    def __init__(
        self, policy: Policy, settings: EngineSettings, store: Store, last_alerts: Iterable[Alert] = ()
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._store = store
        self._last_alerts: dict[Scope, tuple[Status, str, datetime]] = {
            alert.scope: (alert.status, alert.alert_id, alert.since) for alert in last_alerts
        }
        self._settled_until = max((since for _, _, since in self._last_alerts.values()), default=_EPOCH)
        self._span = Span(settings.lag_days, _NEVER)
        self._as_of = _EPOCH
        self._kinds = Kinds()
        self._leaves: dict[tuple[str, str | None, str | None], Leaf] = {}
        self._scopes: dict[Scope, ScopeState] = {}
        self._levels: dict[str | None, Levels] = {}
        # Dictionaries serve as sets below, because they keep the order that makes two runs alike.
        self._due: Agenda = {}
        self._unevaluated: dict[ScopeState, None] = {}
        self._unpublished: dict[ScopeState, None] = {}
        self._emptied: dict[Leaf, None] = {}
        self._gone: dict[Scope, None] = {}

    @classmethod
    def restore(
        cls, policy: Policy, settings: EngineSettings, store: Store, last_alerts: Iterable[Alert] = ()
    ) -> "Engine":
        """An engine from a store's rows and the latest alert of each scope.

        All its scopes count as changed: what was not yet published before the restart is published after it.
        Raises :class:`~stream.shipment.CorruptShipmentError`.
        """
        engine = cls(policy, settings, store, last_alerts)
        (watermark,) = store.get_many([WATERMARK_KEY])
        if watermark is not None:
            hour = int.from_bytes(watermark[len(_WATERMARK_PREFIX) :], "big")
            engine._span.move(hour)
            engine._as_of = _EPOCH + timedelta(hours=hour)
        for scope, (status, _, _) in engine._last_alerts.items():
            if status != "ok":
                # Even where no shipment speaks of it any more: then it still has to recover.
                engine._unevaluated[engine._state(scope)] = None
        for key, value in store.scan():
            if key != WATERMARK_KEY and kept_until(value) > engine._span.last_hour:
                shipment = unpack(value)
                engine._recount(split_key(key)[0], None, None, shipment.shipped, engine._judge(shipment))
        return engine

    @property
    def as_of(self) -> datetime:
        """The watermark: the instant the engine has reached."""
        return self._as_of

    # --- Events ------------------------------------------------------------------------------------------------------

    def apply(self, events: Sequence[Event]) -> Changes:
        """Merge the events' facts into their shipments and count these anew. Time and statuses stay as they are."""
        changes = Changes()
        now = self._span.last_hour
        accepted: list[tuple[bytes, Fact, int]] = []
        sellers: dict[bytes, str] = {}
        for event in events:
            fact = fact_of(event)
            keep_until = fact.version_us // _HOUR_US + KEEP_HOURS
            if fact.__class__ is ShippedFact:
                keep_until = max(keep_until, self._needed_until(fact))
            if keep_until > now:
                key = shipment_key(event.seller_id, event.shipment_id)
                sellers[key] = event.seller_id
                accepted.append((key, fact, keep_until))
            else:
                changes.rejected.append((event, self._too_late(event)))
        working = self._load(sellers)
        for key, fact, keep_until in accepted:
            entry = working[key]
            if entry.shipment.merge(fact):
                entry.changed = True
            if keep_until > entry.keep_until:
                entry.keep_until = keep_until
                entry.changed = True
        for key, entry in working.items():
            if entry.changed:
                shipment = entry.shipment
                changes.rows[key] = pack(entry.keep_until, shipment)
                self._recount(
                    entry.seller_id,
                    entry.shipped_before,
                    entry.verdict_before,
                    shipment.shipped,
                    self._judge(shipment),
                )
        return changes

    def _load(self, sellers: Mapping[bytes, str]) -> dict[bytes, _Working]:
        now = self._span.last_hour
        working: dict[bytes, _Working] = {}
        for (key, seller_id), value in zip(sellers.items(), self._store.get_many(list(sellers)), strict=True):
            # What may be forgotten is forgotten, whether or not the sweep has come by.
            if value is None or (keep_until := kept_until(value)) <= now:
                working[key] = _Working(seller_id, Shipment(), 0, None, None)
            else:
                shipment = unpack(value)
                working[key] = _Working(seller_id, shipment, keep_until, shipment.shipped, self._judge(shipment))
        return working

    def _needed_until(self, shipped: ShippedFact) -> int:
        """The hour at which the last of both windows has left the shipment behind."""
        return max(self._span.hour_leaving(shipped.hour), self._span.hour_leaving_day(shipped.day))

    def _too_late(self, event: Event) -> Rejection:
        return Rejection(
            RejectionCode.TOO_LATE,
            f"`event_time` {event.event_time.isoformat()} is too old for any window as of {self._as_of.isoformat()}",
        )

    def _judge(self, shipment: Shipment) -> Verdict | None:
        shipped = shipment.shipped
        return None if shipped is None else self._policy.judge(shipped, shipment.tracking, shipment.scans)

    def _recount(
        self,
        seller_id: str,
        shipped_before: ShippedFact | None,
        before: Verdict | None,
        shipped: ShippedFact | None,
        after: Verdict | None,
    ) -> None:
        """Count a shipment by its latest fact and verdict, and no longer by those before."""
        if shipped is shipped_before:
            if shipped is not None and after != before:
                self._count(seller_id, shipped, before, after)
            return
        if shipped_before is not None:
            self._count(seller_id, shipped_before, before, None)
        if shipped is not None:
            self._count(seller_id, shipped, None, after)

    def _count(self, seller_id: str, shipped: ShippedFact, before: Verdict | None, after: Verdict | None) -> None:
        hour, day = shipped.shipped_at // HOUR, shipped.promised_by // DAY
        if hour < self._span.first_hour and day < self._span.first_day:
            return
        leaf = self._leaves.get((seller_id, shipped.marketplace, shipped.category))
        if leaf is None:
            leaf = self._new_leaf(Scope(seller_id, shipped.marketplace, shipped.category))
        leaf.recount(hour, day, before, after)
        for state in leaf.scopes:
            self._unevaluated[state] = None
        if after is None and leaf.is_empty():
            self._emptied[leaf] = None

    def _new_leaf(self, scope: Scope) -> Leaf:
        wider = (scope, Scope(scope.seller_id, scope.marketplace), Scope(scope.seller_id))
        leaf = Leaf(tuple(map(self._state, wider)), self._kinds, self._span, self._due)
        for state in leaf.scopes:
            state.leaves.append(leaf)
        self._leaves[scope] = leaf
        return leaf

    def _state(self, scope: Scope) -> ScopeState:
        state = self._scopes.get(scope)
        if state is None:
            status, alert_id, _ = self._last_alerts.get(scope, ("ok", "", _EPOCH))
            state = self._scopes[scope] = ScopeState(scope, self._levels_of(scope.marketplace), status, alert_id)
            self._gone.pop(scope, None)
        return state

    def _drop_emptied(self, evaluated: Iterable[ScopeState]) -> None:
        for leaf in self._emptied:
            if leaf.is_empty():
                del self._leaves[leaf.scopes[0].scope]
                for state in leaf.scopes:
                    state.leaves.remove(leaf)
        self._emptied.clear()
        for state in evaluated:
            if not state.leaves:
                del self._scopes[state.scope]
                self._unpublished.pop(state, None)
                self._gone[state.scope] = None

    # --- Time --------------------------------------------------------------------------------------------------------

    def advance(self, to: datetime) -> Changes:
        """Let time pass up to ``to``, hour by hour, and evaluate statuses at each and at the end.

        Time never goes back: for an earlier ``to``, only the statuses of what changed are evaluated.
        """
        changes = Changes()
        to = max(to, self._as_of)
        hour = seconds(to) // HOUR
        passed = hour - self._span.last_hour
        if self._span.last_hour == _NEVER:
            # There was no time before the first watermark in which a status could have changed.
            for due in sorted(due for due in self._due if due <= hour):
                self._pass_hour(due)
            self._pass_hour(hour)
        else:
            for passing in range(self._span.last_hour + 1, hour + 1):
                self._pass_hour(passing)
                self._as_of = _EPOCH + timedelta(hours=passing)
                self._evaluate(changes)
        if passed > 0:
            changes.rows[WATERMARK_KEY] = _WATERMARK_PREFIX + hour.to_bytes(4, "big")
            for _ in range(min(passed, SWEEP_SHARES)):
                self._sweep(changes)
        self._as_of = to
        self._evaluate(changes)
        return changes

    def _pass_hour(self, hour: int) -> None:
        self._span.move(hour)
        for leaf in self._due.pop(hour, ()):
            if leaf.scopes[0].leaves:  # else dropped since it was due
                leaf.pass_hour(hour)
                self._unevaluated.update(dict.fromkeys(leaf.scopes))
                if leaf.is_empty():
                    self._emptied[leaf] = None
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

    def _sweep(self, changes: Changes) -> None:
        for key in forgettable(self._store.next_share(SWEEP_SHARES), self._span.last_hour):
            changes.rows[key] = None

    # --- Statuses and metrics ----------------------------------------------------------------------------------------

    def _levels_of(self, marketplace: str | None) -> Levels:
        levels = self._levels.get(marketplace)
        if levels is None:
            standard = self._policy.standard(marketplace, self._span.last_hour)
            levels = self._levels[marketplace] = Levels(standard, self._settings)
        return levels

    def _evaluate(self, changes: Changes) -> None:
        if not self._unevaluated:
            return
        changed: list[tuple[ScopeState, Status]] = []
        settled = self._settled() if self._as_of < self._settled_until else {}
        for state in self._unevaluated:
            if state in settled:
                continue
            valid = state.live[_VALID]
            counted = valid + state.live[_DEFECT]
            if state.status == "ok" and state.levels.is_fine(valid, counted):
                continue
            status = state.levels.status(state.status, valid, counted)
            if status != state.status:
                changed.append((state, status))
        changed.sort(key=lambda change: encode_key(change[0].scope))
        for state, status in changed:
            previous, state.status = state.status, status
            alert = make_alert(state, self._metric(state), previous, self._settings.source)
            state.alert_id = alert.alert_id
            self._last_alerts[state.scope] = (status, alert.alert_id, alert.since)
            changes.alerts.append(alert)
        evaluated = {state: None for state in self._unevaluated if state not in settled}
        self._unevaluated = settled
        self._unpublished.update(evaluated)
        self._drop_emptied(evaluated)

    def _settled(self) -> dict[ScopeState, None]:
        """The scopes that have said at a later instant what their status is.

        After a crash between the alerts of a step and its watermark, the step's hours pass again. What was said in
        them stands; to evaluate it from their beginning would say other things on the way there.
        """
        never = ("ok", "", _EPOCH)
        return {
            state: None for state in self._unevaluated if self._last_alerts.get(state.scope, never)[2] > self._as_of
        }

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
        for state in self._unpublished:
            said = (tuple(state.live), tuple(state.official), self._span.last_day, state.status)
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
                from_=(_EPOCH + timedelta(days=self._span.first_day)).date(),
                to=(_EPOCH + timedelta(days=self._span.last_day)).date(),
                counted=official.counted,
                valid=official.valid,
                defects=official.defects,
                pending=official.pending,
                exempt=official.exempt,
                vtr=official.vtr,
            ),
            threshold=float(levels.standard.threshold),
            status=state.status,
            allowance=levels.allowance(state.status, live.valid, live.counted),
            needed_to_recover=levels.needed_to_recover(state.status, live.valid, live.counted),
            policy=levels.standard.policy,
        )
