"""Our number beside the marketplace's own, for the days of a saved account-health report, and what explains the gap."""

from stream.reconcile.bridge import Bridge, Step
from stream.reconcile.health import HealthReportError, Theirs, read_health_report
from stream.reconcile.ours import Ours
from stream.reconcile.run import Comparison, Reconciliation, reconcile

__all__ = [
    "Bridge",
    "Comparison",
    "HealthReportError",
    "Ours",
    "Reconciliation",
    "Step",
    "Theirs",
    "read_health_report",
    "reconcile",
]
