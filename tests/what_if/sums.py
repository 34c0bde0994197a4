"""Comparisons and metrics as sums that can be compared."""

from collections import Counter
from collections.abc import Iterable

from stream.records import Metric, Scope
from stream.what_if.result import Comparison
from tests.explain.sums import Sum, of_metrics


def growth(before: Iterable[Metric], after: Iterable[Metric]) -> Sum:
    """By how much the counts of the metrics have grown; what is as before is left out."""
    grown = of_metrics(after)
    grown.subtract(of_metrics(before))
    return Counter({key: n for key, n in grown.items() if n})


def moves(comparison: Comparison) -> Sum:
    """The same by the shipments whose verdicts differ."""
    moved: Sum = Counter()
    for each in comparison.verdicts:
        for one in each.shipments:
            wider = (), (one.marketplace,), (one.marketplace, one.category)
            for scope in (Scope(one.seller_id, *more) for more in wider):
                for window in (name for name, is_in in (("live", one.live), ("official", one.official)) if is_in):
                    for ruling, sign in ((each.baseline, -1), (each.variant, 1)):
                        moved[window, scope, ruling.outcome] += sign
                        if ruling.ambiguous and ruling.outcome in ("valid", "defect"):
                            moved[window, scope, "ambiguous"] += sign
    return Counter({key: n for key, n in moved.items() if n})
