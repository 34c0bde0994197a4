"""Explanations and metrics as sums that can be compared."""

from collections import Counter
from collections.abc import Iterable, Iterator

from stream.explain import Explanation
from stream.records import Counts, Metric, OfficialCounts, Scope

Sum = Counter[tuple[str, Scope, str]]
"""Shipments by window, scope and what they count as; the ambiguous of the counted ones once more."""


def of_explanations(explanations: Iterable[Explanation]) -> Sum:
    """The shipments by what their explanations say."""
    found: Sum = Counter()
    for each in explanations:
        for name, window in (("live", each.live), ("official", each.official)):
            if window is not None and window.is_in:
                found.update((name, scope, each.verdict.outcome) for scope in each.scopes)
                if each.verdict.ambiguous and each.verdict.outcome in ("valid", "defect"):
                    found.update((name, scope, "ambiguous") for scope in each.scopes)
    return found


def of_metrics(metrics: Iterable[Metric]) -> Sum:
    """The shipments by what the metrics say."""
    found: Sum = Counter()
    for metric in metrics:
        for name, counts in (("live", metric.live), ("official", metric.official)):
            found.update({(name, metric.scope, outcome): n for outcome, n in _counts(counts) if n})
    return found


def _counts(counts: Counts | OfficialCounts) -> Iterator[tuple[str, int]]:
    yield "valid", counts.valid
    yield "defect", counts.defects
    yield "pending", counts.pending
    yield "exempt", counts.exempt
    yield "ambiguous", counts.ambiguous
