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
    if not compact or compact.count(compact[0]) == len(compact):
        return True
    if len(compact) <= _LONGEST_WORD and compact.casefold() in _WORDS:
        return True
    if number == order_id:
        return True
    if len(compact) > len(order_id) or (order_id[-1].isalnum() and order_id[-1].casefold() != compact[-1].casefold()):
        return False  # without taking the order id apart
    return compact.casefold() == "".join(filter(str.isalnum, order_id)).casefold()
