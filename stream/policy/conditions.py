"""When a rule applies: what it asks of a shipment besides its value.

A condition holds only where the fact it is about is known: a shipment without origin is neither from China nor from
elsewhere than China. So nothing is left out for what is not known of it.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from msgspec import Struct

from stream.policy.money import Bound
from stream.policy.services import ServiceClass, service_class
from stream.tracking import Carrier, resolve_carrier


class Facts(NamedTuple):
    """What rules ask about, in the spelling they use. ``carrier`` is the one given, ``known`` what it stands for."""

    ship_from: str | None
    ship_to: str | None
    carrier: str | None
    known: Carrier | None
    ship_method: str | None
    service: ServiceClass | None

    @classmethod
    def of(
        cls,
        ship_from: str | None,
        ship_to: str | None,
        carriers: tuple[str | None, str | None],
        ship_method: str | None,
    ) -> "Facts":
        """Of the carriers, the first that is more than a blank is the one given."""
        carrier = next((given.strip() for given in carriers if given and given.strip()), None)
        known = None if carrier is None else resolve_carrier(carrier)
        name = carrier if known is None else known.name
        return cls(
            ship_from, ship_to, carrier, known, _plain(ship_method) or None, service_class(name, ship_method or None)
        )

    @property
    def carrier_name(self) -> str | None:
        """The carrier's own name where it is known, else what the seller wrote."""
        return self.carrier if self.known is None else self.known.name

    @property
    def route(self) -> Literal["domestic", "cross_border"] | None:
        """None where an end of it is not known."""
        if self.ship_from is None or self.ship_to is None:
            return None
        return "domestic" if self.ship_from == self.ship_to else "cross_border"


class Conditions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The conditions of a rule; what is not given is not asked. All that are given must hold.

    ``between`` (``not_between``): both ends are (are not both) among these countries. ``ship_methods``: the method
    is one of these, in any case; ``*`` stands for any text. ``carriers``: known carriers by name. ``value``: for
    example ``< 20 EUR`` or ``<= 15 EUR``, including shipping and excluding tax.
    """

    route: Literal["domestic", "cross_border"] | None = None
    between: tuple[str, ...] = ()
    not_between: tuple[str, ...] = ()
    ship_from: tuple[str, ...] = ()
    not_ship_from: tuple[str, ...] = ()
    ship_to: tuple[str, ...] = ()
    not_ship_to: tuple[str, ...] = ()
    services: tuple[ServiceClass, ...] = ()
    ship_methods: tuple[str, ...] = ()
    not_ship_methods: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    carrier: Literal["known", "unknown"] | None = None
    value: str | None = None

    @property
    def bound(self) -> Bound | None:
        """The value's bound; what is no bound was refused when the rules were read."""
        return None if self.value is None else Bound.parse(self.value)

    def hold(self, facts: Facts) -> bool:
        """Whether all of them hold, the value aside."""
        return all(holds for _, holds in self._each(facts))

    def unmet(self, facts: Facts) -> list[str]:
        """The names of those that do not hold, the value aside."""
        return [name for name, holds in self._each(facts) if not holds]

    def _each(self, facts: Facts) -> Iterator[tuple[str, bool]]:
        ship_from, ship_to, method = facts.ship_from, facts.ship_to, facts.ship_method
        if self.route is not None:
            yield "route", facts.route == self.route
        if self.between:
            yield "between", ship_from in self.between and ship_to in self.between
        if self.not_between:
            both = ship_from in self.not_between and ship_to in self.not_between
            yield "not_between", facts.route is not None and not both
        if self.ship_from:
            yield "ship_from", ship_from in self.ship_from
        if self.not_ship_from:
            yield "not_ship_from", ship_from is not None and ship_from not in self.not_ship_from
        if self.ship_to:
            yield "ship_to", ship_to in self.ship_to
        if self.not_ship_to:
            yield "not_ship_to", ship_to is not None and ship_to not in self.not_ship_to
        if self.services:
            yield "services", facts.service in self.services
        if self.ship_methods:
            yield "ship_methods", method is not None and _matches(method, self.ship_methods)
        if self.not_ship_methods:
            yield "not_ship_methods", method is not None and not _matches(method, self.not_ship_methods)
        if self.carriers:
            yield "carriers", facts.known is not None and facts.known.name in self.carriers
        if self.carrier is not None:
            yield "carrier", facts.carrier is not None and (facts.known is None) == (self.carrier == "unknown")


def _matches(method: str, patterns: tuple[str, ...]) -> bool:
    # Of what fnmatch knows, only the star is a rule's; people write the rest in names.
    literal = (_plain(pattern).replace("[", "[[]").replace("?", "[?]") for pattern in patterns)
    return any(fnmatchcase(method, pattern) for pattern in literal)


def _plain(method: str | None) -> str:
    return " ".join(method.casefold().split()) if method else ""
