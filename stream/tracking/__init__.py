"""Which carrier is meant, and is this tracking number one of its numbers at all."""

from stream.tracking.carriers import Carrier, resolve_carrier
from stream.tracking.explain import NumberReport, explain_number
from stream.tracking.numbers import number_problem
from stream.tracking.placeholders import is_placeholder

__all__ = ["Carrier", "NumberReport", "explain_number", "is_placeholder", "number_problem", "resolve_carrier"]
