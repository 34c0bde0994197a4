"""A saved account-health report: what the marketplace says the VTR is.

The report is GET_V2_SELLER_PERFORMANCE_REPORT. Its schema requires seven fields; what sellers get lacks some, and the
schema's own example has more valid shipments than shipments. So everything is read where it stands, in whatever case,
and nothing is trusted: what does not fit is said in a note.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from stream.imports.encoding import read_text
from stream.places import canonical_marketplace

WINDOW_DAYS = 30

_MOST_SHIPMENTS = 10**12

_RATE_DIGITS = Decimal("0.0001")
"""The report's rates have four digits."""


class HealthReportError(Exception):
    """A file is no account-health report. The message is one line that names it."""


class Theirs(Struct, frozen=True, kw_only=True):
    """The marketplace's number for a marketplace, or a category of it. Days are UTC and both included; ``rate`` and
    ``target`` are shares. None is what the report does not say. ``notes`` are what in it does not fit."""

    marketplace: str | None
    category: str | None
    from_: date | None = field(name="from")
    to: date | None
    counted: int | None
    valid: int | None
    rate: float | None
    status: str | None
    target: float | None
    notes: tuple[str, ...]

    @property
    def defects(self) -> int | None:
        """Counted and not valid."""
        return None if self.counted is None or self.valid is None else self.counted - self.valid


def read_health_report(file: Path) -> list[Theirs]:
    """What a saved report says of VTR, in its order. Raises :class:`HealthReportError`."""
    try:
        document = json.loads(read_text(file.read_bytes()).text, parse_float=Decimal)
    except OSError as error:
        raise HealthReportError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise HealthReportError(f"cannot read {file}: it is no JSON: {error}") from None
    found = [_theirs(each) for each in _rates(document, _Context(None, None))]
    if not found:
        raise HealthReportError(f"{file} is no account-health report: there is no validTrackingRate in it")
    return found


class _Context(NamedTuple):
    """What the objects around a rate say it is of."""

    marketplace: str | None
    category: str | None


class _Rate(NamedTuple):
    fields: Mapping[str, object]
    context: _Context


def _rates(part: object, context: _Context) -> Iterator[_Rate]:
    """Every valid tracking rate in a document, however deep it is."""
    if isinstance(part, list):
        for each in part:
            yield from _rates(each, context)
    elif isinstance(part, dict):
        fields = _plain(part)
        context = _Context(
            _text(fields, "marketplaceid", "marketplace") or context.marketplace,
            _text(fields, "category", "productcategory", "categoryname") or context.category,
        )
        if "validtrackingcount" in fields:
            yield _Rate(fields, context)
        for name, value in fields.items():
            named = value if isinstance(value, list) else [value]
            if name in ("validtrackingrate", "validtrackingratelist"):
                for rate in named:
                    if isinstance(rate, dict) and "validtrackingcount" not in _plain(rate):
                        yield _Rate(_plain(rate), _own(rate, context))
                    elif isinstance(rate, dict):
                        yield from _rates(rate, context)
            elif isinstance(value, dict | list):
                yield from _rates(value, context)


def _own(rate: Mapping[str, object], context: _Context) -> _Context:
    category = _text(_plain(rate), "category", "productcategory", "categoryname")
    return context._replace(category=category or context.category)


def _plain(part: Mapping[str, object]) -> dict[str, object]:
    """The fields by names without case and punctuation."""
    return {re.sub("[^a-z]", "", name.lower()): value for name, value in part.items()}


# --- One rate --------------------------------------------------------------------------------------------------------


def _theirs(rate: _Rate) -> Theirs:
    fields, (marketplace, category) = rate
    notes: list[str] = []
    span = fields.get("reportingdaterange")
    days = {**fields, **(_plain(span) if isinstance(span, dict) else {})}
    first = _day(days, notes, "reportingdatefrom", "datefrom", "from", "startdate")
    last = _day(days, notes, "reportingdateto", "dateto", "to", "enddate")
    if first is None or last is None:
        notes.append("the report does not say for which days it is")
    elif last < first:
        notes.append(f"its days end before they begin: {first} to {last}")
        first = last = None
    elif (last - first).days + 1 != WINDOW_DAYS:
        notes.append(f"its window has {(last - first).days + 1} days instead of {WINDOW_DAYS}")
    counted = _count(fields, notes, "shipmentcount")
    valid = _count(fields, notes, "validtrackingcount")
    share = _share(fields, notes, "rate")
    if counted is None:
        notes.append("the report gives no shipmentCount, so there is nothing to add up")
    elif valid is not None and valid > counted:
        notes.append(f"its validTrackingCount {valid} is more than its shipmentCount {counted}, and is not used")
        valid = None
    if counted is not None and valid is None and share is not None:
        valid = round(share * counted)
        notes.append(f"validTrackingCount {valid} is worked out from the rate")
    elif counted and valid is not None and share is not None and abs(Decimal(valid) / counted - share) > _RATE_DIGITS:
        notes.append(f"its rate {share} is not {valid} / {counted}")
    if share is None and counted and valid is not None:
        share = Decimal(valid) / counted
    target = _share(fields, notes, "targetvalue")
    return Theirs(
        marketplace=None if marketplace is None else canonical_marketplace(marketplace),
        category=category,
        from_=first,
        to=last,
        counted=counted,
        valid=valid,
        rate=None if share is None else float(share.quantize(_RATE_DIGITS, ROUND_HALF_UP)),
        status=_text(fields, "status"),
        target=None if target is None else float(target),
        notes=tuple(notes),
    )


def _text(fields: Mapping[str, object], *names: str) -> str | None:
    found = (fields.get(name) for name in names)
    return next((value.strip() for value in found if isinstance(value, str) and value.strip()), None)


def _day(fields: Mapping[str, object], notes: list[str], *names: str) -> date | None:
    """The day as it is written: an offset does not change which day a store means."""
    text = _text(fields, *names)
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        notes.append(f"`{text}` is not a date")
        return None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    text = str(value).strip().removesuffix("%").replace(",", "") if isinstance(value, int | Decimal | str) else ""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _count(fields: Mapping[str, object], notes: list[str], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    number = _number(value)
    if number is None or not 0 <= number <= _MOST_SHIPMENTS or number != int(number):
        notes.append(f"its {name} `{value}` is not a number of shipments")
        return None
    return int(number)


def _share(fields: Mapping[str, object], notes: list[str], name: str) -> Decimal | None:
    """A share; 95.29, 95.29% and 0.9529 are the same."""
    value = fields.get(name)
    number = _number(value)
    if number is not None and (number > 1 or str(value).strip().endswith("%")):
        number /= 100
    if value is not None and (number is None or not 0 <= number <= 1):
        notes.append(f"its {name} `{value}` is not a share")
        return None
    return number
