"""The sellers: how large, how careful, where from and with whom they ship. The same for history and live."""

from collections.abc import Iterator
from random import Random
from string import ascii_uppercase, digits

import msgspec

from stream.simulator.carriers import PARCELS, Carrier
from stream.simulator.config import SimulationConfig
from stream.simulator.marketplaces import CATEGORIES, MARKETPLACES, Marketplace
from stream.simulator.weighted import Weighted

_ID_CHARACTERS = ascii_uppercase + digits

_HOMES = Weighted(("DE", "UK", "FR", "IT", "ES", "NL", "PL", "US"), (30, 20, 12, 12, 10, 4, 4, 16))
"""Marketplace of a seller's own country, in about the proportion of the stores' sizes."""

_EUROPE = ("DE", "UK", "FR", "IT", "ES", "NL", "PL")

_QUALITIES = ((0.75, 0.005, 0.02), (0.9, 0.03, 0.05), (1.0, 0.07, 0.15))
"""Up to this share of the sellers, defect rates are from .. to: careful, hovering around the threshold, careless."""

_LOCAL_STOCK = 0.5
"""Share of a seller's foreign stores that are served from a warehouse there, the others across the border."""

_MARKETPLACE_FULFILLED_SELLERS = 0.2
_MARKETPLACE_FULFILLED_ORDERS = 0.3
"""Share of the sellers that let the marketplace fulfil a part of their orders, and that part."""

_LETTER_SELLERS = 0.4
_LETTER_SHARE = 0.3
"""Share of the sellers whose goods fit a letter, and the share of their cheap orders that go as one."""


class Listing(msgspec.Struct, frozen=True):
    """A category a seller offers in a store, with the country it ships from and its carriers there."""

    marketplace: Marketplace
    category: str
    origin: str
    carriers: Weighted[Carrier]


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """A seller's profile. ``size`` is relative to the largest seller's 1; shares and rates are from 0 to 1.

    ``account`` is the six-digit customer number with the carriers.
    """

    seller_id: str
    key: bytes
    size: float
    defect_rate: float
    account: int
    letter_share: float
    marketplace_fulfilled_share: float
    listings: Weighted[Listing]


def draw_sellers(config: SimulationConfig) -> list[Seller]:
    """All sellers, the largest first."""
    random = config.random("sellers")
    ids = _draw_ids(random, config.sellers)
    defect_rates = _draw_defect_rates(random, config.sellers)
    return [
        Seller(
            seller_id=seller_id,
            key=seller_id.encode(),
            # Zipf's law: the second largest is half the largest, the tenth a tenth.
            size=1 / rank,
            defect_rate=defect_rate,
            account=random.randrange(100_000, 1_000_000),
            letter_share=_LETTER_SHARE if random.random() < _LETTER_SELLERS else 0,
            marketplace_fulfilled_share=(
                _MARKETPLACE_FULFILLED_ORDERS if random.random() < _MARKETPLACE_FULFILLED_SELLERS else 0
            ),
            listings=_draw_listings(random),
        )
        for rank, (seller_id, defect_rate) in enumerate(zip(ids, defect_rates, strict=True), start=1)
    ]


def by_size(sellers: list[Seller]) -> Weighted[Seller]:
    """The sellers, each as likely as its size."""
    return Weighted(sellers, [seller.size for seller in sellers])


def _draw_ids(random: Random, count: int) -> list[str]:
    ids: dict[str, None] = {}
    while len(ids) < count:
        ids["A" + "".join(random.choices(_ID_CHARACTERS, k=13))] = None
    return list(ids)


def _draw_defect_rates(random: Random, count: int) -> list[float]:
    # By position and shuffled, not drawn one by one, so ten sellers are already as mixed as a thousand.
    rates = [_draw_defect_rate(random, (position + 0.5) / count) for position in range(count)]
    random.shuffle(rates)
    return rates


def _draw_defect_rate(random: Random, position: float) -> float:
    best, worst = next((best, worst) for limit, best, worst in _QUALITIES if position < limit)
    return random.uniform(best, worst)


def _draw_listings(random: Random) -> Weighted[Listing]:
    home = _HOMES.pick(random.random())
    stores = [home, *_draw_foreign_stores(random, home)]
    categories = random.sample(CATEGORIES, random.choice((1, 1, 2, 2, 3)))
    listings = [
        (listing, random.uniform(0.5, 1) / store_rank / category_rank)
        for store_rank, store in enumerate(stores, start=1)
        for category_rank, listing in enumerate(_open_store(random, store, home, categories), start=1)
    ]
    return Weighted([listing for listing, _ in listings], [weight for _, weight in listings])


def _draw_foreign_stores(random: Random, home: str) -> list[str]:
    others = [store for store in _EUROPE if store != home]
    most = 1 if home == "US" else 3
    return random.sample(others, random.randint(0, most))


def _open_store(random: Random, store: str, home: str, categories: list[str]) -> Iterator[Listing]:
    stocked_in = store if random.random() < _LOCAL_STOCK else home
    origin = MARKETPLACES[stocked_in].country
    available = PARCELS[origin]
    chosen = list(dict.fromkeys(available.pick(random.random()) for _ in range(3)))
    carriers = Weighted(chosen, range(len(chosen), 0, -1))
    for category in categories:
        yield Listing(MARKETPLACES[store], category, origin, carriers)
