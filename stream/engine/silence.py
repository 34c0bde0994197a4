"""Whose tracking feed has gone silent: who still ships, while none of the latest shipments has tracking.

Read from the windows, which a restart rebuilds: so it is known at once after one, and costs no event anything.
"""

from stream.engine.scope import ScopeState
from stream.engine.window import Windows
from stream.policy.verdict import Outcome

SILENCE_HOURS = 24
"""How far back shipments are looked at, and beyond the longest silence that is told. Rules grant a day of grace; what
lacks tracking after it is a defect, and tells by itself."""

LEAST_SHIPMENTS = 5
"""A silence of fewer shipments is none: a small seller's next upload may be hours away."""


def silences(windows: Windows) -> dict[str, int]:
    """The hours of silence of each seller that shipped in the last :data:`SILENCE_HOURS`, 0 for one that is heard.

    They begin with the hour of the first shipment after the last hour that any shipment with tracking is of. What the
    rules leave out counts as neither. Any thread may ask.
    """
    last = windows.span.last_hour
    verdicts = windows.kinds.verdicts
    has_tracking: dict[int, bool | None] = {}
    """By kind; None for what is left out."""
    heard: set[ScopeState] = set()
    runs: dict[ScopeState, tuple[int, int]] = {}
    """Shipments without tracking so far, and the hour of the earliest."""
    for hour in range(last, last - SILENCE_HOURS, -1):
        heard_now: set[ScopeState] = set()
        silent_now: dict[ScopeState, int] = {}
        for leaf, kind, n in windows.shipped_in(hour):
            if leaf is None or (seller := leaf.scopes[-1]) in heard:
                continue
            if kind not in has_tracking:
                verdict = verdicts[kind]
                is_left_out = verdict.outcome == Outcome.EXEMPT
                has_tracking[kind] = None if is_left_out else verdict.reason != "no_tracking"
            if has_tracking[kind]:
                heard_now.add(seller)
            elif has_tracking[kind] is False:
                silent_now[seller] = silent_now.get(seller, 0) + n
        heard |= heard_now
        for seller, n in silent_now.items():
            if seller not in heard:
                runs[seller] = (runs.get(seller, (0, hour))[0] + n, hour)
    found = {seller.scope.seller_id: 0 for seller in heard}
    found |= {seller.scope.seller_id: last - hour if n >= LEAST_SHIPMENTS else 0 for seller, (n, hour) in runs.items()}
    return found
