"""Where sellers sell."""

import msgspec


class Marketplace(msgspec.Struct, frozen=True):
    """A store. ``price_level`` turns EUR into prices a shopper there expects: a price tag, not an exchange rate.

    ``utc_offset`` is in hours and without daylight saving; ``order_prefix`` starts the store's order ids.
    """

    code: str
    country: str
    currency: str
    price_level: float
    utc_offset: int
    order_prefix: str
    neighbours: tuple[str, ...]


MARKETPLACES = {
    marketplace.code: marketplace
    for marketplace in (
        Marketplace("DE", "DE", "EUR", 1, 1, "028", ("AT", "AT", "FR", "NL", "BE", "PL")),
        Marketplace("UK", "GB", "GBP", 0.9, 0, "203", ("IE", "IE", "FR", "DE")),
        Marketplace("FR", "FR", "EUR", 1, 1, "405", ("BE", "BE", "DE", "ES", "LU")),
        Marketplace("IT", "IT", "EUR", 1, 1, "171", ("FR", "DE", "AT", "MT")),
        Marketplace("ES", "ES", "EUR", 1, 1, "406", ("PT", "PT", "FR", "IT")),
        Marketplace("NL", "NL", "EUR", 1, 1, "404", ("BE", "BE", "DE")),
        Marketplace("PL", "PL", "PLN", 4, 1, "303", ("DE", "CZ", "LT")),
        Marketplace("US", "US", "USD", 1.1, -5, "113", ("CA", "MX")),
    )
}
"""Neighbours are where a store's cross-border parcels go; who is named twice gets twice as many."""

CATEGORIES = ("Home", "Toys", "Electronics", "Beauty", "Sports", "Books", "Garden", "Pet Supplies", "Automotive")
