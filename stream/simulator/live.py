"""What follows a history: the same sellers, live, with incidents that show within a minute."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush

from stream.simulator.config import SimulationConfig
from stream.simulator.incidents import Incident, plan_incidents
from stream.simulator.pace import LIVE
from stream.simulator.pilot import PILOT_ORDERS, arrival_lags
from stream.simulator.record import Kind, Record
from stream.simulator.sellers import Seller, by_size, draw_sellers
from stream.simulator.shipments import Shipments
from stream.simulator.tracking_numbers import SERIALS
from stream.simulator.transport import Delays, Transport

_DELAYS = Delays(duplicate=(1, 10), out_of_order=(2, 15), late=None)
"""Seconds, so that every mishap shows in a demonstration; records hours late would not be about now."""

_HORIZON = 3600.0
"""Seconds: what happens to a shipment later than this is left out, or deliveries days ahead would pile up."""

_FIRST_SERIAL = SERIALS // 2
"""Tracking numbers above the history's, which starts at 0: a number that two shipments share is a defect."""

_FOCUS_SELLERS = 8
_FOCUS_SHARE = 0.85
"""Most of the traffic goes to few sellers, so that their windows of 30 days move within seconds."""

_FOCUS_FROM = 1 / 6
"""The largest sellers are passed over: thousands of counted shipments hide what happens in half a minute."""

_CAREFUL = 0.02
"""Highest defect rate of a focus seller: one that is below the threshold anyway cannot fall."""

_SALE = 3.0
"""A seller with an incident ships this many times as much (its incident is its first sale), so that the incident
shows even at one event per second."""

_FIRST_INCIDENT = (4.0, 8.0)
_INCIDENT_EVERY = (15.0, 25.0)
_INCIDENT_LASTS = (20.0, 40.0)
_REPAIRED_WITHIN = 15.0
"""Seconds, for someone who watches a demonstration of one minute."""

_REPAIRS = 0.1
"""Records that repairs add to the others, about; measured with the default configuration."""


class LiveSimulation:
    """New shipments of the sellers of ``simulate_history(config)``, from the clock's first reading on.

    ``rate`` is in events per second, about, duplicates and malformed ones included. ``clock`` gives UTC-aware
    times. Which records there are depends on the configuration, the rate and the clock's first reading, and not
    on how often they are asked for. Raises ValueError when ``rate`` is not positive.
    """

    def __init__(self, config: SimulationConfig, rate: float, clock: Callable[[], datetime]) -> None:
        if not rate > 0:
            raise ValueError(f"`rate` is not above 0: {rate}")
        self._clock = clock
        self._random = config.random("live")
        sellers = draw_sellers(config)
        self._sizes = by_size(sellers)
        self._focus = _focus(config, sellers)
        self._shipments = Shipments(self._random, config.scanned, LIVE, _FIRST_SERIAL)
        self._transport = Transport(self._random, config, _DELAYS)
        records_per_order = bisect_right(arrival_lags(config, sellers, LIVE, _DELAYS), _HORIZON) / PILOT_ORDERS
        self._orders_per_second = rate / (records_per_order * (1 + _REPAIRS))
        self._incidents: dict[str, Incident] = {}
        self._pending: list[tuple[float, int, Kind, bytes, bytes]] = []
        self._added = 0
        start = clock().timestamp()
        self._next_order = start + self._random.expovariate(self._orders_per_second)
        self._next_incident = start + self._random.uniform(*_FIRST_INCIDENT)

    def due(self) -> list[Record]:
        """The records since the last call, in order of arrival. Event times are about now and never ahead of it."""
        now = self._clock().timestamp()
        while min(self._next_order, self._next_incident) <= now:
            # In order of time, so that it does not matter how much of it has passed.
            if self._next_order <= self._next_incident:
                self._place_order(self._next_order)
                self._next_order += self._random.expovariate(self._orders_per_second)
            else:
                self._start_incident(self._next_incident)
                self._next_incident += self._random.uniform(*_INCIDENT_EVERY)
        records = []
        while self._pending and self._pending[0][0] <= now:
            arrival, _, kind, key, value = heappop(self._pending)
            records.append(Record(kind, key, value, datetime.fromtimestamp(arrival, UTC)))
        return records

    def _place_order(self, at: float) -> None:
        self._end_incidents(at)
        seller = self._pick_seller()
        for fact in self._shipments.order(seller, at, self._incidents):
            for arrival, value in self._transport.carry(fact):
                if arrival <= at + _HORIZON:
                    self._added += 1
                    heappush(self._pending, (arrival, self._added, fact.kind, seller.key, value))

    def _pick_seller(self) -> Seller:
        if self._random.random() >= _FOCUS_SHARE:
            return self._sizes.pick(self._random.random())
        weights = [_SALE if seller.seller_id in self._incidents else 1 for seller in self._focus]
        return self._random.choices(self._focus, weights)[0]

    def _start_incident(self, at: float) -> None:
        self._end_incidents(at)
        well = [seller for seller in self._focus if seller.seller_id not in self._incidents]
        if not well:
            return
        seller = self._random.choice(well)
        self._incidents[seller.seller_id] = Incident(
            subject=seller.seller_id,
            start=at,
            end=at + self._random.uniform(*_INCIDENT_LASTS),
            severity=0.9,
            # No upload at all is a defect only after the grace period of a day.
            silent=0,
            repaired_within=_REPAIRED_WITHIN,
        )

    def _end_incidents(self, at: float) -> None:
        self._incidents = {subject: incident for subject, incident in self._incidents.items() if at < incident.end}


def _focus(config: SimulationConfig, sellers: list[Seller]) -> list[Seller]:
    """The mid-size sellers that traffic concentrates on: preferably careful ones that the history left healthy."""
    troubled = {incident.subject for incident in plan_incidents(config, sellers)}
    candidates = sellers[int(len(sellers) * _FOCUS_FROM) :]
    fit = [s for s in candidates if s.defect_rate <= _CAREFUL and s.seller_id not in troubled]
    return (fit or candidates)[:_FOCUS_SELLERS]
