"""What other settings would have said of the same history: statuses, alerts and verdicts side by side."""

from stream.what_if.result import WhatIf
from stream.what_if.run import what_if
from stream.what_if.variants import BASELINE, Variant

__all__ = ["BASELINE", "Variant", "WhatIf", "what_if"]
