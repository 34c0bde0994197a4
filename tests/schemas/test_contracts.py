"""Schema and Struct state the same contract, and the schemas themselves are sound."""

import json
from datetime import timedelta
from typing import Any, get_args

import msgspec.inspect as mi
import pytest
from jsonschema import Draft202012Validator

from stream.events import Event
from stream.events import decoding as wire
from stream.policy import RulesPolicy
from stream.records import Scope, decode_metric
from stream.settings import Settings
from stream.shipment import hour_of
from tests.schemas.contracts import CONTRACTS, contract_in, contract_of, target
from tests.schemas.documents import FORMATS, INBOUND, KEY, OUTBOUND, SCHEMAS, STRUCTS, Steps, parts, validator

POLICY = RulesPolicy.of(Settings())
GRACE = POLICY.timeline(None).on(1).entry.grace


def test_there_is_a_schema_for_every_record_and_no_other() -> None:
    assert SCHEMAS.keys() == STRUCTS.keys() | {KEY}
    assert get_args(Event) == tuple(INBOUND.values())


@pytest.mark.parametrize("name", STRUCTS)
def test_schema_and_struct_state_the_same_contract(name: str) -> None:
    assert contract_in(SCHEMAS[name], SCHEMAS[name]) == CONTRACTS[name]


def test_scope_key_is_the_scope() -> None:
    kind = mi.type_info(Scope)
    assert isinstance(kind, mi.NamedTupleType)
    schema = SCHEMAS[KEY]
    assert [part["title"] for part in schema["prefixItems"]] == [field.name for field in kind.fields]
    assert [contract_in(part, schema) for part in schema["prefixItems"]] == [contract_of(f.type) for f in kind.fields]
    assert schema["minItems"] == schema["maxItems"] == len(kind.fields)


def test_the_alert_carries_the_metric_word_for_word() -> None:
    """A copy, so that one file is enough for a subscriber, and so that AsyncAPI tools, which cannot follow a URN, can
    read it."""
    alert, metric = SCHEMAS["vtr-alert"], SCHEMAS["vtr-metric"]
    own = {keyword: value for keyword, value in metric.items() if keyword not in {"$schema", "$id", "title", "$defs"}}
    del own["examples"]
    assert alert["$defs"] == {"cause": alert["$defs"]["cause"], "metric": own, **metric["$defs"]}


@pytest.mark.parametrize("name", OUTBOUND)
def test_examples_name_the_rules_that_their_scope_is_held_to(name: str) -> None:
    for example in SCHEMAS[name]["examples"]:
        metric = decode_metric(json.dumps(example.get("metric", example)).encode())
        threshold, policy = POLICY.standard(metric.marketplace, hour_of(metric.as_of))
        assert (metric.threshold, metric.policy) == (float(threshold), policy)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:vtr-stream:schema:{name}"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_is_described(name: str) -> None:
    schema = SCHEMAS[name]
    undescribed = [
        path
        for path, part in parts(schema)
        if path[-2:-1] in {("properties",), ("prefixItems",), ("$defs",)}
        and "anyOf" not in path
        and not (target(part, schema) if "$ref" in part else part).get("description")
    ]
    assert undescribed == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples_of_values_are_valid(name: str) -> None:
    schema = SCHEMAS[name]
    for path, part in parts(schema):
        for value in part.get("examples", ()):
            errors = list(validator({**part, "$defs": schema.get("$defs", {})}).iter_errors(value))
            assert errors == [], path


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_format_is_checked(name: str) -> None:
    formats = {part["format"] for _, part in parts(SCHEMAS[name]) if "format" in part}
    assert formats <= FORMATS.checkers.keys()


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ("2026-11-01T12:00:00Z", "date-time", True),
        ("2026-11-01t12:00:00.123456789z", "date-time", True),
        ("2026-11-01T12:00:00-08:30", "date-time", True),
        ("2026-11-01T12:00:00", "date-time", False),
        ("2026-11-01T12:00Z", "date-time", False),
        ("2026-02-29T12:00:00Z", "date-time", False),
        ("2026-11-01", "date-time", False),
        ("2026-11-01", "date", True),
        ("2026-02-29", "date", False),
        ("20261101", "date", False),
    ],
)
def test_the_format_checker_checks(value: str, form: str, expected: bool) -> None:
    assert FORMATS.conforms(value, form) is expected


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        *((name, ("description",), f"{wire.MAX_EVENT_BYTES:,} bytes") for name in INBOUND),
        *(
            (name, ("properties", "event_time", "description"), said)
            for name in INBOUND
            for said in (f"{wire.EARLIEST_EVENT_TIME:%Y-%m-%dT%H:%M:%SZ}", "one hour ahead")
        ),
        ("order-shipped", ("properties", "shipped_at", "description"), f"{wire.MAX_BACKDATING.days} days before"),
        ("order-shipped", ("properties", "shipped_at", "description"), f"{wire.MAX_AHEAD_SHIPPING.days} days after"),
        ("order-shipped", ("properties", "promised_delivery_by", "description"), f"{wire.MAX_BACKDATING.days} days"),
        ("tracking-uploaded", ("properties", "uploaded_at", "description"), f"{wire.MAX_BACKDATING.days} days"),
        ("tracking-scanned", ("properties", "scanned_at", "description"), f"{wire.MAX_BACKDATING.days} days"),
        ("vtr-metric", ("properties", "status", "description"), f"{Settings().warn_level} by default"),
        ("vtr-metric", ("properties", "status", "description"), f"{Settings().recover_margin} by default"),
        ("vtr-metric", ("properties", "status", "description"), f"{Settings().min_counted} by default"),
        ("vtr-metric", ("$defs", "live", "properties", "pending", "description"), f"{GRACE.hours} hours"),
        ("vtr-metric", ("$defs", "official", "description"), f"{Settings().lag_days} by default"),
    ],
)
def test_numbers_in_the_prose_are_those_of_the_code(name: str, path: Steps, said: str) -> None:
    text: Any = SCHEMAS[name]
    for step in path:
        text = text[step]
    assert said in text


def test_the_hour_and_the_year_in_the_prose_are_those_of_the_code() -> None:
    assert timedelta(hours=1) == wire.MAX_FUTURE
    assert wire.MAX_AHEAD_PROMISE == wire.MAX_BACKDATING
