"""What somebody may have meant who named a seller or a shipment that is not there."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches

MOST_NAMED = 5
"""More than a handful is a list, not a hint."""

_ALIKE = 0.85
"""How much must agree: two of the characters of an id may be wrong."""


class NotFoundError(Exception):
    """There is no such seller or shipment. The message is one line, with what may have been meant."""


def no_seller(seller_id: str, sellers: Collection[str], where: str) -> NotFoundError:
    """``sellers`` are those that there are; ``where`` they were looked for."""
    return NotFoundError(f"there is no seller {seller_id} in {where}{_hint(_alike(seller_id, sellers))}")


def no_shipment(
    seller_id: str, shipment_id: str, orders: Mapping[str, str | None], elsewhere: Collection[str], where: str
) -> NotFoundError:
    """``orders`` are the orders of the seller's shipments, None where that is not known; ``elsewhere`` are sellers who
    have a shipment of that id."""
    of_order = [each for each, order in orders.items() if order == shipment_id]
    if of_order:
        noun = "shipment" if len(of_order) == 1 else "shipments"
        hint = f"; the order {shipment_id} has the {noun} {_listed(of_order)}"
    elif elsewhere:
        hint = f"; the seller {_listed(elsewhere)} has one of that id"
    else:
        hint = _hint(_alike(shipment_id, orders))
    return NotFoundError(f"the seller {seller_id} has no shipment {shipment_id} in {where}{hint}")


def _alike(given: str, known: Collection[str]) -> list[str]:
    plain = given.strip().casefold()
    same = [each for each in known if each.casefold() == plain or each.casefold().startswith(f"{plain}-")]
    return same or get_close_matches(given, known, n=3, cutoff=_ALIKE)


def _hint(alike: Collection[str]) -> str:
    return f"; did you mean {_listed(alike)}?" if alike else ""


def _listed(names: Collection[str]) -> str:
    named = sorted(names)
    more = len(named) - MOST_NAMED
    return f"{', '.join(named[:MOST_NAMED])}{f' and {more} more' if more > 0 else ''}"
