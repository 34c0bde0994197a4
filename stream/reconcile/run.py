"""A report beside history: each of its numbers beside ours for the same days."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from stream.explain.seller import read_seller
from stream.reconcile.bridge import Bridge, counted_bridge, defects_bridge
from stream.reconcile.health import Theirs
from stream.reconcile.ours import Judged, Ours, SellersShipments, Window, counts
from stream.replay import Meter, Summary
from stream.settings import Settings

LAST_SECOND = timedelta(seconds=-1)


class Comparison(Struct, frozen=True, kw_only=True):
    """One of their numbers and ours for the same days, as of an instant, and the bridges between the two.

    Without days in the report there is no ``ours``, and without counts in it there are no bridges.
    """

    theirs: Theirs
    as_of: datetime | None
    ours: Ours | None
    counted: Bridge | None
    defects: Bridge | None


class Reconciliation(Struct, frozen=True, kw_only=True):
    """All of a report. ``elsewhere`` is what we count on marketplaces of which the report says nothing, in the days of
    its first number. ``notes`` are about the history."""

    seller_id: str
    comparisons: list[Comparison]
    elsewhere: dict[str, Ours]
    notes: list[str]


def reconcile(
    report: Sequence[Theirs],
    files: Sequence[str],
    seller_id: str,
    settings: Settings,
    summary: Summary,
    *,
    as_of: datetime | None = None,
    meter: Meter | None = None,
) -> Reconciliation:
    """Put a report beside the history of its seller.

    Ours is as of the end of the report's day, which is ``lag_days`` after the last day of its window, or ``as_of``.
    What the files had that could not be used is counted in ``summary``. Raises
    :class:`~stream.explain.near.NotFoundError`, :class:`~stream.replay.errors.ReplayError` and
    :class:`~stream.policy.error.PolicyError`.
    """
    events = read_seller(files, seller_id, summary, meter=meter).events
    last = max(event.event_time for event in events)
    shipments = SellersShipments(events, settings)
    comparisons = [_compare(theirs, shipments, settings.lag_days, as_of) for theirs in report]
    notes = []
    windows = [each for each in comparisons if each.theirs.to is not None]
    if any(_window(each.theirs).end > last for each in windows):
        notes.append(f"the history ends {last:%Y-%m-%d %H:%M}, before the report's window does")
    elsewhere: dict[str, Ours] = {}
    if windows:
        window, at = _window(windows[0].theirs), windows[0].as_of
        said = {each.theirs.marketplace for each in comparisons}
        if at is not None and None not in said:
            inside = [each for each in shipments.judged(at) if window.has(each.promised)]
            for marketplace in sorted({each.shipped.marketplace for each in inside} - said):
                elsewhere[marketplace] = counts(each for each in inside if each.shipped.marketplace == marketplace)
    return Reconciliation(seller_id=seller_id, comparisons=comparisons, elsewhere=elsewhere, notes=notes)


def _compare(theirs: Theirs, shipments: SellersShipments, lag_days: int, as_of: datetime | None) -> Comparison:
    if theirs.from_ is None or theirs.to is None:
        return Comparison(theirs=theirs, as_of=None, ours=None, counted=None, defects=None)
    window = _window(theirs)
    at = as_of or window.end + timedelta(days=lag_days) + LAST_SECOND
    own = [each for each in shipments.judged(at) if _is_of(each, theirs)]
    ours = counts(each for each in own if window.has(each.promised))
    counted = counted_bridge(theirs, ours, own, window)
    return Comparison(
        theirs=theirs,
        as_of=at,
        ours=ours,
        counted=counted,
        defects=defects_bridge(theirs, ours, own, window, counted),
    )


def _window(theirs: Theirs) -> Window:
    if theirs.from_ is None or theirs.to is None:
        raise ValueError("the report does not say for which days it is")
    return Window(theirs.from_, theirs.to)


def _is_of(each: Judged, theirs: Theirs) -> bool:
    if theirs.marketplace is not None and each.shipped.marketplace != theirs.marketplace:
        return False
    return theirs.category is None or each.shipped.category.casefold() == theirs.category.casefold()
