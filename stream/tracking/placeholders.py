"""Placeholders: what people type where a tracking number should stand."""

_WORDS = frozenset(
    {"na", "none", "null", "nil", "no", "unknown", "tbd", "tba", "pending", "notracking", "untracked", "test"}
)
_LONGEST_WORD = max(map(len, _WORDS))


def is_placeholder(number: str, order_id: str) -> bool:
    """Whether the number is a filler: a word such as ``N/A``, the order's own id, or one character repeated.

    Spaces, punctuation and case do not matter.
    """
    compact = number if number.isalnum() else "".join(filter(str.isalnum, number))
    return not compact or number == order_id or is_compact_placeholder(compact, order_id)


def is_compact_placeholder(compact: str, order_id: str) -> bool:
    """The same for a number of letters and digits only, at least one."""
    first = compact[0]
    last = compact[-1]
    if first == last and compact.count(first) == len(compact):
        return True
    if len(compact) <= _LONGEST_WORD and compact.casefold() in _WORDS:
        return True
    if len(compact) > len(order_id):
        return False
    end = order_id[-1]
    if end != last and end.isalnum() and end.casefold() != last.casefold():
        return False  # without taking the order id apart
    return compact.casefold() == "".join(filter(str.isalnum, order_id)).casefold()
