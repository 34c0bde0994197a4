"""All there is to say of one shipment: what happened to it, what it counts as and why, and in which numbers it is."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from msgspec import Struct, field

from stream.events import Event, OrderShipped
from stream.explain.numbers import Other
from stream.explain.standing import Standing, standing_words
from stream.explain.timeline import Change, Reached, timeline
from stream.policy import RulesPolicy, Step, explain
from stream.policy.explain import Check as CheckName
from stream.policy.explain import Result
from stream.policy.judge import is_late
from stream.policy.model import Grade
from stream.policy.words import source_address
from stream.records import Scope
from stream.shipment import EPOCH, Entry, Shipment, hour_of, promised_day
from stream.span import LIVE_HOURS, OFFICIAL_DAYS, Span

ReadFrom = Literal["history", "deployment"]

NAMED_OTHERS = 5
"""Shipments with the same number that are named; the rest is counted. A placeholder is on thousands."""


class Rules(Struct, frozen=True, kw_only=True):
    """The rules that a shipment falls under; ``threshold`` is the VTR that they demand of its scopes."""

    policy: str
    title: str
    threshold: float


class Check(Struct, frozen=True, kw_only=True):
    """One rule that was asked, or one check that was made, in order. ``failed`` is also what waited until its grace was
    over. ``source`` and ``grade`` say where a rule is from."""

    check: CheckName
    result: Result
    text: str
    source: tuple[str, ...]
    grade: Grade | None


class Tracking(Struct, frozen=True, kw_only=True):
    """The present number. ``first_entered_at``: with the present carrier. ``delivered_at`` is by the latest scan.

    ``reused_by`` are shipments of the seller's other orders with the same number, ``reused_by_count`` in all of them;
    ``is_reuse_a_defect`` says whether the shipment's rules make a defect of it.
    """

    number: str
    carrier: str | None
    first_entered_at: datetime
    delivered_at: datetime | None
    is_late: bool
    reused_by: list[Other]
    reused_by_count: int
    is_reuse_a_defect: bool


class LiveWindow(Struct, frozen=True, kw_only=True):
    """The 720 UTC hours that end with the hour of ``as_of``, and when the shipment enters and leaves them by its ship
    time. ``to`` and ``leaves_at`` are the first instants after."""

    from_: datetime = field(name="from")
    to: datetime
    enters_at: datetime
    leaves_at: datetime
    is_in: bool


class OfficialWindow(Struct, frozen=True, kw_only=True):
    """The marketplace's own window, UTC days of promised delivery from ``from_`` to ``to``, both included; ``day`` is
    the shipment's. It enters and leaves the window at the beginning of ``enters_on`` and ``leaves_on``."""

    from_: date = field(name="from")
    to: date
    day: date
    enters_on: date
    leaves_on: date
    is_in: bool


class Explanation(Struct, frozen=True, kw_only=True):
    """An explanation as of an instant. Where no order-shipped event is known, there are no rules, checks and windows.

    ``verdict_text`` is ``verdict`` in words. ``timeline`` has what changed something, in the order of event time;
    ``unchanged_events`` is how many events of the shipment said nothing new. ``scopes``: whose numbers it is in, where
    it is in a window. ``sources``: the pages that the sources' ids stand for.
    """

    seller_id: str
    shipment_id: str
    order_id: str | None
    marketplace: str | None
    category: str | None
    as_of: datetime
    read_from: ReadFrom
    verdict: Standing
    verdict_text: str
    rules: Rules | None
    checks: list[Check]
    tracking: Tracking | None
    live: LiveWindow | None
    official: OfficialWindow | None
    scopes: list[Scope]
    timeline: list[Change]
    unchanged_events: int
    sources: dict[str, str | None]


def explain_shipment(
    policy: RulesPolicy,
    lag_days: int,
    shipment_id: str,
    events: Sequence[Event],
    as_of: datetime,
    *,
    reached: Reached,
    read_from: ReadFrom,
    entries: Mapping[str, tuple[Entry, ...]] | None = None,
) -> Explanation:
    """The explanation of a shipment from all known events of its seller; see :func:`stream.explain.timeline.timeline`
    for the arguments."""
    story = timeline(policy, lag_days, shipment_id, events, as_of, reached, entries)
    shipment, standing = story.shipment, story.standing
    shipped = shipment.shipped
    checks = [] if shipped is None else _checks(policy, shipped, shipment, standing, is_reused=bool(story.others))
    return Explanation(
        seller_id=events[0].seller_id,
        shipment_id=shipment_id,
        order_id=None if shipped is None else shipped.order_id,
        marketplace=None if shipped is None else shipped.marketplace,
        category=None if shipped is None else shipped.category,
        as_of=as_of,
        read_from=read_from,
        verdict=standing,
        verdict_text=standing_words(standing),
        rules=None if shipped is None else _rules(policy, shipped),
        checks=checks,
        tracking=_tracking(policy, shipment, story.others),
        live=None if shipped is None else _live(shipped, lag_days, as_of),
        official=None if shipped is None else _official(shipped, lag_days, as_of),
        scopes=[] if shipped is None else _scopes(shipped),
        timeline=story.changes,
        unchanged_events=story.unchanged,
        sources={source: source_address(source) for check in checks for source in check.source},
    )


# --- Its parts -------------------------------------------------------------------------------------------------------


def _rules(policy: RulesPolicy, shipped: OrderShipped) -> Rules:
    entry = policy.timeline(shipped.marketplace).entry(shipped)
    standard = entry.standard
    return Rules(policy=standard.policy, title=entry.family.title, threshold=float(standard.threshold))


def _checks(
    policy: RulesPolicy, shipped: OrderShipped, shipment: Shipment, standing: Standing, *, is_reused: bool
) -> list[Check]:
    steps = explain(policy, shipped, shipment.tracking, shipment.scans, shipment.entered_at(), is_reused)
    # The last one is the verdict, which does not know what time has made of it.
    return [_check(step, standing) for step in steps[:-1]]


def _check(step: Step, standing: Standing) -> Check:
    is_over = step.result == "pending" and standing.outcome == "defect"
    result = "failed" if is_over else step.result
    return Check(check=step.check, result=result, text=step.text, source=step.source, grade=step.grade)


def _tracking(policy: RulesPolicy, shipment: Shipment, others: list[Other]) -> Tracking | None:
    shipped, tracking, entered_at = shipment.shipped, shipment.tracking, shipment.entered_at()
    if tracking is None or tracking.tracking_number is None or entered_at is None:
        return None
    carriers = tracking.carrier, None if shipped is None else shipped.carrier
    delivered = next((scan for scan in shipment.scans if scan.milestone == "delivered"), None)
    return Tracking(
        number=tracking.tracking_number,
        carrier=next((given.strip() for given in carriers if given and given.strip()), None),
        first_entered_at=entered_at,
        delivered_at=None if delivered is None else delivered.scanned_at or delivered.event_time,
        is_late=is_late(entered_at, shipment.scans),
        reused_by=others[:NAMED_OTHERS],
        reused_by_count=len(others),
        is_reuse_a_defect=shipped is not None and policy.timeline(shipped.marketplace).entry(shipped).reuse_is_defect,
    )


def _live(shipped: OrderShipped, lag_days: int, as_of: datetime) -> LiveWindow:
    span, hour = Span(lag_days, hour_of(as_of)), hour_of(shipped.shipped_at)
    return LiveWindow(
        from_=_hour(span.first_hour),
        to=_hour(span.last_hour + 1),
        enters_at=_hour(hour),
        leaves_at=_hour(hour + LIVE_HOURS),
        is_in=span.first_hour <= hour <= span.last_hour,
    )


def _official(shipped: OrderShipped, lag_days: int, as_of: datetime) -> OfficialWindow:
    span, day = Span(lag_days, hour_of(as_of)), promised_day(shipped)
    return OfficialWindow(
        from_=_day(span.first_day),
        to=_day(span.last_day),
        day=_day(day),
        enters_on=_day(day + lag_days),
        leaves_on=_day(day + lag_days + OFFICIAL_DAYS),
        is_in=span.first_day <= day <= span.last_day,
    )


def _scopes(shipped: OrderShipped) -> list[Scope]:
    seller_id, marketplace = shipped.seller_id, shipped.marketplace
    return [Scope(seller_id), Scope(seller_id, marketplace), Scope(seller_id, marketplace, shipped.category)]


def _hour(hour: int) -> datetime:
    return EPOCH + timedelta(hours=hour)


def _day(day: int) -> date:
    return (EPOCH + timedelta(days=day)).date()
