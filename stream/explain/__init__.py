"""Why one shipment counts as what it counts: its events, its verdict after each, the rules, the checks, the windows."""

from stream.explain.explanation import Explanation
from stream.explain.history import explain_history
from stream.explain.live import explain_live
from stream.explain.near import NotFoundError
from stream.explain.standing import standing_words

__all__ = ["Explanation", "NotFoundError", "explain_history", "explain_live", "standing_words"]
