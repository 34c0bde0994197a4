"""Incidents: a seller's integration, or a carrier's label service, goes bad for a while."""

from datetime import timedelta
from random import Random

import msgspec

from stream.simulator.carriers import PARCELS
from stream.simulator.config import SimulationConfig
from stream.simulator.sellers import Seller

_HOUR = 3600.0

_SELLER_DAYS_PER_INCIDENT = 150
"""So a fifth of the sellers has one in a 30-day window."""

_DAYS_PER_CARRIER_INCIDENT = 12

_SELLER_INCIDENT_HOURS = (36, 96)
"""Long enough that 80 % defects in it take a window of 30 days below 95 %."""

_CARRIER_INCIDENT_HOURS = (8, 30)

_LONGEST_SHARE = 0.25
"""Of the history: an incident must end within it, and leave time to recover."""

_REPAIRED_SHARE = 0.5
_REPAIRED_WITHIN = 12 * _HOUR
"""Half of the sellers upload again what an incident spoiled, within hours of its end."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """From ``start`` to before ``end`` (seconds since 1970) most uploads of a seller or a carrier are useless.

    ``subject`` is a seller's id or a carrier's label; ``severity`` the share of shipments it spoils; ``silent`` the
    share of those that get no upload at all. What is spoiled is uploaded again within ``repaired_within`` seconds
    of the end; None for never.
    """

    subject: str
    start: float
    end: float
    severity: float
    silent: float
    repaired_within: float | None


def plan_incidents(config: SimulationConfig, sellers: list[Seller]) -> list[Incident]:
    """The incidents of a history: one at least, and more the longer it is and the more sellers it has."""
    random = config.random("incidents")
    days = (config.end - config.start) / timedelta(days=1)
    of_sellers = max(1, round(days * len(sellers) / _SELLER_DAYS_PER_INCIDENT))
    carriers = [carrier.label for carriers in PARCELS.values() for carrier in carriers.options]
    return [
        _plan(random, config, random.choice(sellers).seller_id, _SELLER_INCIDENT_HOURS, random.uniform(0.75, 0.95))
        for _ in range(of_sellers)
    ] + [
        _plan(random, config, random.choice(carriers), _CARRIER_INCIDENT_HOURS, random.uniform(0.5, 0.75))
        for _ in range(round(days / _DAYS_PER_CARRIER_INCIDENT))
    ]


def active_at(incidents: list[Incident], at: float) -> dict[str, Incident]:
    """The incidents at ``at`` (seconds since 1970) by their subject."""
    return {incident.subject: incident for incident in incidents if incident.start <= at < incident.end}


def _plan(
    random: Random, config: SimulationConfig, subject: str, hours: tuple[float, float], severity: float
) -> Incident:
    start, end = config.start.timestamp(), config.end.timestamp()
    duration = min(random.uniform(*hours) * _HOUR, (end - start) * _LONGEST_SHARE)
    begin = random.uniform(start, end - 2 * duration)
    return Incident(
        subject=subject,
        start=begin,
        end=begin + duration,
        severity=severity,
        silent=0.25,
        repaired_within=_REPAIRED_WITHIN if random.random() < _REPAIRED_SHARE else None,
    )
