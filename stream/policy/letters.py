"""Ship methods that are letters: untracked by nature, and exempt below a value on some routes.

The names are those of the postal products: Deutsche Post (Brief and its sizes), La Poste (lettre verte,
prioritaire), Poste Italiane (posta ordinaria), Correos (carta ordinaria), Royal Mail (large letter).
"""

_LETTER_METHODS = frozenset(
    {
        "brief",
        "standardbrief",
        "kompaktbrief",
        "großbrief",
        "grossbrief",
        "maxibrief",
        "letter",
        "large letter",
        "lettre",
        "lettre verte",
        "lettre prioritaire",
        "posta ordinaria",
        "carta ordinaria",
    }
)


def is_letter(ship_method: str | None) -> bool:
    """Whether the method is a letter, as sellers write it in any case."""
    return ship_method is not None and ship_method.strip().casefold() in _LETTER_METHODS
