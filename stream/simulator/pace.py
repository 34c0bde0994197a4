"""How long after shipping things happen, in seconds: as in life, or as fast as a demonstration needs."""

from typing import NamedTuple

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86_400.0

Span = tuple[float, float]
"""Seconds from .. to; what is drawn from it is uniform."""


class Pace(NamedTuple):
    """When the events of one shipment happen, relative to when it ships.

    ``confirmed`` is until the order-shipped event. An upload comes ``prompt`` after (or, where negative, before)
    shipping or, for a share of ``slow_share``, ``slow`` after it; a forgotten one ``late``. ``amended`` is between an
    upload and its correction or removal. The carrier's first scan is ``collected`` after shipping, its last one
    ``transit`` after the first.
    """

    confirmed: Span
    prompt: Span
    slow_share: float
    slow: Span
    late: Span
    amended: Span
    collected: Span
    transit: Span


EARLIEST = 2 * _HOUR
"""How long before shipping a label may be printed and its number uploaded."""

AS_IN_LIFE = Pace(
    confirmed=(5, 15 * _MINUTE),
    prompt=(-EARLIEST, 6 * _HOUR),
    slow_share=0.12,
    slow=(6 * _HOUR, 20 * _HOUR),
    late=(25 * _HOUR, 72 * _HOUR),
    amended=(2 * _MINUTE, 6 * _HOUR),
    collected=(_HOUR, 20 * _HOUR),
    transit=(_DAY, 5 * _DAY),
)

LIVE = Pace(
    confirmed=(0, 3),
    prompt=(0.5, 6),
    slow_share=0.1,
    slow=(6, 20),
    late=(25 * _HOUR, 72 * _HOUR),
    amended=(5, 20),
    collected=(10, 40),
    transit=(_DAY, 5 * _DAY),
)
"""Uploads seconds after shipping; what takes hours in life still does, so no parcel is delivered in a minute."""
