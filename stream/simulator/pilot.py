"""A pilot run: how many records an order makes, and how long they take. Measured, because it is drawn, not known."""

from stream.simulator.config import SimulationConfig
from stream.simulator.pace import Pace
from stream.simulator.sellers import Seller, by_size
from stream.simulator.shipments import Shipments
from stream.simulator.transport import Delays, Transport

PILOT_ORDERS = 2000
"""Enough for the records per order to 2 %; takes less than a tenth of a second."""


def arrival_lags(config: SimulationConfig, sellers: list[Seller], pace: Pace, delays: Delays) -> list[float]:
    """How long after shipping (seconds, sorted) the records of :data:`PILOT_ORDERS` orders arrive.

    Has random numbers of its own, so it changes nothing in the run that it serves.
    """
    random = config.random("pilot")
    shipments = Shipments(random, config.scanned, pace, first_serial=0)
    transport = Transport(random, config, delays)
    sizes = by_size(sellers)
    shipped_at = config.start.timestamp()
    return sorted(
        arrival - shipped_at
        for _ in range(PILOT_ORDERS)
        for fact in shipments.order(sizes.pick(random.random()), shipped_at, {})
        for arrival, _ in transport.carry(fact)
    )
