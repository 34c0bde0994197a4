"""Alerts: what is said when a scope's status changes, and the id under which it is said once."""

from collections import Counter
from hashlib import blake2b
from typing import cast

from stream.engine.scope import Names, ScopeState
from stream.engine.window import Kinds
from stream.records import Alert, AlertType, Cause, DefectReason, Metric, Severity, Status, encode_key

MAX_CAUSES = 5
"""More than a handful of causes is a report, not an alert."""

_TYPE: dict[Status, AlertType] = {"ok": "vtr-recovered", "at_risk": "vtr-at-risk", "breached": "vtr-breached"}
_SEVERITY: dict[Status, Severity] = {"ok": "info", "at_risk": "warning", "breached": "critical"}


def make_alert(state: ScopeState, metric: Metric, previous_status: Status, source: str, kinds: Kinds) -> Alert:
    """The alert for a scope that has just gone from ``previous_status`` to ``metric.status``."""
    return Alert(
        alert_id=alert_id(source, state.alert_id, state.names, metric.status),
        type=_TYPE[metric.status],
        severity=_SEVERITY[metric.status],
        seller_id=metric.seller_id,
        marketplace=metric.marketplace,
        category=metric.category,
        status=metric.status,
        previous_status=previous_status,
        since=metric.as_of,
        metric=metric,
        causes=causes(state, kinds),
    )


def alert_id(source: str, previous_id: str, scope: Names, status: Status) -> str:
    """The id of the alert that follows ``previous_id`` in a scope's history.

    Made from that history alone, not from time or offsets: a worker that crashes after an alert, and its successor
    that comes to the same conclusion in another batch, say it under the same id.
    """
    said = b"\x00".join([source.encode(), previous_id.encode(), encode_key(scope), status.encode()])
    return blake2b(said, digest_size=16).hexdigest()


def causes(state: ScopeState, kinds: Kinds) -> list[Cause]:
    """The most frequent kinds of defect in a scope's live window, most frequent first."""
    totals: Counter[tuple[str, str | None]] = Counter()
    for kind, n in (state.defects or {}).items():
        verdict = kinds.verdicts[kind]
        totals[verdict.reason or "", verdict.carrier] += n
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
    return [
        Cause(reason=cast("DefectReason", reason), carrier=carrier, count=n)
        for (reason, carrier), n in ranked[:MAX_CAUSES]
    ]
