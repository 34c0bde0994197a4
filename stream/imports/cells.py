"""What stands in one cell: instants, amounts, quantities and codes, as reports and spreadsheets write them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from stream.events import EARLIEST_EVENT_TIME, MAX_AMOUNT
from stream.places import MARKETPLACE_CODES, canonical_country, canonical_marketplace

DayOrder = Literal["day-first", "month-first"]
"""How to read 03-04-2026."""

NOON = timedelta(hours=12)
"""A date without a time is noon UTC: the same day in every time zone of a store."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""What lies behind it is a placeholder or a mistake, and days cannot be added to all of it."""

NOTHING = Decimal(0)

_ISO_DATE = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})", re.ASCII)
_OTHER_DATE = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_TIME = re.compile(r"[T ] *\d{1,2}:\d{2}", re.ASCII)

_CHANNELS = {
    "amazon.com": "US",
    "amazon.ca": "CA",
    "amazon.com.mx": "MX",
    "amazon.com.br": "BR",
    "amazon.co.uk": "UK",
    "amazon.ie": "IE",
    "amazon.de": "DE",
    "amazon.fr": "FR",
    "amazon.it": "IT",
    "amazon.es": "ES",
    "amazon.nl": "NL",
    "amazon.com.be": "BE",
    "amazon.se": "SE",
    "amazon.pl": "PL",
    "amazon.com.tr": "TR",
    "amazon.ae": "AE",
    "amazon.sa": "SA",
    "amazon.eg": "EG",
    "amazon.co.za": "ZA",
    "amazon.in": "IN",
    "amazon.sg": "SG",
    "amazon.com.au": "AU",
    "amazon.co.jp": "JP",
}
"""The stores' addresses, which the column sales-channel has."""

NO_MARKETPLACE = ""
"""Of an order that was not placed on the marketplace: it only lent its warehouse."""


class CellError(ValueError):
    """A cell has a value that it cannot have. The message does not name the cell."""


def instant(cell: str, day_order: DayOrder | None, *, without_time: timedelta = NOON) -> datetime:
    """An instant in UTC. A date alone is that UTC day plus ``without_time``; a time without an offset is UTC.

    Besides ISO 8601: 14-07-2026 and 07/14/2026, with a time or without, and days before months where there are dots.
    Where day and month could be either, ``day_order`` must say. Raises :class:`CellError`.
    """
    text = cell.strip()
    if match := _ISO_DATE.match(text):
        date = "-".join(match.groups())
    elif match := _OTHER_DATE.match(text):
        date = _other_date(text, match, day_order)
    else:
        raise CellError(f"`{text}` is not a date such as 2026-11-01 or 2026-11-01T12:00:00+00:00")
    rest = text[match.end() :]
    try:
        at = _at(date, rest, without_time)
    except (ValueError, OverflowError):
        raise CellError(f"`{text}` is not a date such as 2026-11-01 or 2026-11-01T12:00:00+00:00") from None
    if not EARLIEST_EVENT_TIME <= at < LATEST:
        raise CellError(f"`{text}` is not a date of this century")
    return at


def _at(date: str, time: str, without_time: timedelta) -> datetime:
    if not time:
        return datetime.fromisoformat(date).replace(tzinfo=UTC) + without_time
    if not _TIME.match(time):
        raise ValueError(time)
    # Seller Central's own examples have blanks within the offset, and spreadsheets write 9:05.
    plain = time[1:].replace(" ", "")
    at = datetime.fromisoformat(f"{date}T{plain if plain[1] != ':' else f'0{plain}'}")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _other_date(text: str, match: re.Match[str], day_order: DayOrder | None) -> str:
    first, separator, second, year = int(match[1]), match[2], int(match[3]), match[4]
    if separator == "." or first > 12:
        day, month = first, second
    elif second > 12:
        day, month = second, first
    elif first == second:
        day = month = first
    elif day_order is None:
        raise CellError(f"`{text}` may be day or month first: say --dates day-first or --dates month-first")
    else:
        day, month = (first, second) if day_order == "day-first" else (second, first)
    return f"{year}-{month:02}-{day:02}"


_AMOUNTS = (
    re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+)(?:\.(?P<part>\d{1,6}))?", re.ASCII),
    re.compile(r"(?P<sign>[-+]?)(?P<whole>\d{1,3}(?:,\d{3})+)(?:\.(?P<part>\d{1,6}))?", re.ASCII),
    re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+|\d{1,3}(?:\.\d{3})+),(?P<part>\d{1,2})", re.ASCII),
)
"""1234.50, 1,234.50 and, as a spreadsheet may have left it, 1.234,50."""


def amount(cell: str) -> Decimal:
    """An exact amount. Raises :class:`CellError`."""
    text = cell.strip()
    for form in _AMOUNTS:
        if match := form.fullmatch(text):
            whole = re.sub(r"\D", "", match["whole"])
            value = Decimal(f"{match['sign']}{whole}.{match['part'] or '0'}")
            if abs(value) < MAX_AMOUNT:
                return value.normalize()
    raise CellError(f"`{text}` is not an amount such as 24.90")


def quantity(cell: str) -> int:
    """A number of units, from 0. Raises :class:`CellError`."""
    text = cell.strip()
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise CellError(f"`{text}` is not a number of units")
    return int(text)


def currency(cell: str) -> str:
    """An ISO 4217 code. Raises :class:`CellError`."""
    text = cell.strip().upper()
    if not re.fullmatch("[A-Z]{3}", text, re.ASCII):
        raise CellError(f"`{text}` is not a currency such as EUR")
    return text


def country(cell: str) -> str:
    """An ISO 3166 code. Raises :class:`CellError`."""
    code = canonical_country(cell)
    if code is None:
        raise CellError(f"`{cell.strip()}` is not an ISO 3166 alpha-2 country code")
    return code


def marketplace(cell: str) -> str:
    """The marketplace of a sales channel such as Amazon.de, or of an id; :data:`NO_MARKETPLACE` of Non-Amazon.

    Raises :class:`CellError`.
    """
    text = cell.strip()
    if re.match("non[-_ ]?amazon", text.lower()):
        return NO_MARKETPLACE
    code = _CHANNELS.get(text.lower()) or canonical_marketplace(text)
    if code not in MARKETPLACE_CODES:
        raise CellError(f"`{text}` is no marketplace of Amazon's")
    return code


def fulfilled_by(cell: str) -> Literal["merchant", "marketplace"]:
    """Who fulfils: the reports say Merchant and Amazon, or MFN and AFN. Raises :class:`CellError`."""
    text = cell.strip().upper()
    if text in ("MERCHANT", "MFN", "SELLER"):
        return "merchant"
    if text in ("AMAZON", "AFN"):
        return "marketplace"
    raise CellError(f"`{cell.strip()}` is neither Merchant nor Amazon")


Status = Literal["shipped", "partly_shipped", "not_shipped", "cancelled"]

_STATUSES: dict[str, Status] = {
    "shipped": "shipped",
    "complete": "shipped",
    "partiallyshipped": "partly_shipped",
    "unshipped": "not_shipped",
    "pending": "not_shipped",
    "pendingavailability": "not_shipped",
    "invoiceunconfirmed": "not_shipped",
    "unfulfillable": "cancelled",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}


def status(cell: str) -> Status:
    """What became of an order: the reports write Partially Shipped or PARTIALLY_SHIPPED, Canceled or Cancelled.

    Raises :class:`CellError`.
    """
    plain = re.sub("[^a-z]", "", cell.split(" - ")[0].lower())
    if plain not in _STATUSES:
        raise CellError(f"`{cell.strip()}` is not an order's status such as Shipped")
    return _STATUSES[plain]
