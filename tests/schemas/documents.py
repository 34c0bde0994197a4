"""The schemas and their examples, and what schema and code say of a record."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from msgspec import Struct

from stream import events, records
from stream.events import OrderShipped, TrackingScanned, TrackingUploaded
from stream.records import Alert, InvalidRecordError, Metric

Json = dict[str, Any]
Steps = tuple[str | int, ...]
"""Where something stands within a JSON document."""

FOLDER = Path(__file__).parents[2] / "schemas"
INBOUND: dict[str, type[Struct]] = {
    "order-shipped": OrderShipped,
    "tracking-uploaded": TrackingUploaded,
    "tracking-scanned": TrackingScanned,
}
OUTBOUND: dict[str, type[Struct]] = {"vtr-metric": Metric, "vtr-alert": Alert}
STRUCTS = INBOUND | OUTBOUND
KEY = "scope-key"

SCHEMAS: dict[str, Json] = {
    file.name.removesuffix(".schema.json"): json.loads(file.read_text(encoding="utf-8"))
    for file in sorted(FOLDER.glob("*.schema.json"))
}

FORMATS = FormatChecker(formats=())
"""Only formats that are really checked: the library skips those whose extra packages are not installed."""

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    datetime.fromisoformat(value.upper())
    return RFC_3339.fullmatch(value) is not None


@FORMATS.checks("date", raises=ValueError)
def is_date(value: object) -> bool:
    if not isinstance(value, str):
        return True
    date.fromisoformat(value)
    return FULL_DATE.fullmatch(value) is not None


def validator(schema: Json) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FORMATS)


VALIDATORS = {name: validator(schema) for name, schema in SCHEMAS.items()}


def accepted_by_schema(name: str, value: bytes) -> bool:
    return VALIDATORS[name].is_valid(json.loads(value))


def accepted_by_code(name: str, value: bytes) -> bool:
    try:
        return isinstance(decoded(name, value), STRUCTS[name])
    except InvalidRecordError:
        return False


def decoded(name: str, value: bytes) -> object:
    if name == "vtr-metric":
        return records.decode_metric(value)
    if name == "vtr-alert":
        return records.decode_alert(value)
    return events.decode(value)


def verdicts(name: str, instance: object) -> dict[str, bool]:
    value = json.dumps(instance).encode()
    return {"code": accepted_by_code(name, value), "schema": accepted_by_schema(name, value)}


BOTH_ACCEPT = {"code": True, "schema": True}
BOTH_REJECT = {"code": False, "schema": False}


def parts(schema: Json, path: Steps = ()) -> Iterator[tuple[Steps, Json]]:
    """A schema and every schema within it, each with where it stands."""
    yield path, schema
    for keyword in ("properties", "$defs"):
        for name, part in schema.get(keyword, {}).items():
            yield from parts(part, (*path, keyword, name))
    for keyword in ("anyOf", "prefixItems"):
        for index, part in enumerate(schema.get(keyword, ())):
            yield from parts(part, (*path, keyword, index))
    if "items" in schema:
        yield from parts(schema["items"], (*path, "items"))


def example(name: str) -> Json:
    """The first example of a schema, which has every field."""
    found: Json = deepcopy(SCHEMAS[name]["examples"][0])
    return found


AMOUNT: Steps = ("order_value", "amount")


def with_value(instance: Json, path: Steps, value: object) -> Json:
    changed = deepcopy(instance)
    parent(changed, path)[path[-1]] = value
    return changed


def without(instance: Json, path: Steps) -> Json:
    changed = deepcopy(instance)
    del parent(changed, path)[path[-1]]
    return changed


def parent(instance: Json, path: Steps) -> dict[str | int, object]:
    found: Any = instance
    for step in path[:-1]:
        found = found[step]
    container: dict[str | int, object] = found
    return container
