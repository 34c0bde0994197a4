"""Placeholders: what people type where a tracking number should stand."""

from typing import Final

_WORDS: Final = frozenset(
    {"na", "none", "null", "nil", "no", "unknown", "tbd", "tba", "pending", "notracking", "untracked", "test"}
)
_LONGEST_WORD: Final = max(map(len, _WORDS))

_KEYBOARD: Final = "1234567890" * 5
"""The digits in the order of the keys, as often as the longest number needs."""
_KEYBOARD_STARTS: Final = frozenset({"012345", "123456"})
"""From six digits on, since what is shorter is no number anyway."""


def is_placeholder(number: str, order_id: str) -> bool:
    """Whether the number is a filler: a word such as ``N/A``, the order's own id, 123456… or one character repeated.

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
    if first < "2":
        if compact[:6] in _KEYBOARD_STARTS and compact in _KEYBOARD:
            return True
    elif len(compact) <= _LONGEST_WORD and compact.casefold() in _WORDS:
        return True
    # Most numbers differ from the order's id at an end: no need to take the id apart.
    end = order_id[-1:]
    if end != last and "0" <= end <= "9":
        return False
    start = order_id[:1]
    if start != first and "0" <= start <= "9":
        return False
    return compact.casefold() == "".join(filter(str.isalnum, order_id)).casefold()
