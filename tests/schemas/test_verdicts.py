"""Schema and code accept and reject the same records: examples, each changed in one place."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stream import records
from stream.records import InvalidRecordError
from tests.schemas.contracts import CONTRACTS, FIELDS, REFINEMENTS, fields
from tests.schemas.documents import (
    AMOUNT,
    BOTH_ACCEPT,
    BOTH_REJECT,
    INBOUND,
    KEY,
    SCHEMAS,
    STRUCTS,
    VALIDATORS,
    Json,
    Steps,
    example,
    parent,
    parts,
    verdicts,
    with_value,
    without,
)


@pytest.mark.parametrize(("name", "index"), [(n, i) for n in STRUCTS for i in range(len(SCHEMAS[n]["examples"]))])
def test_examples_are_accepted_by_both(name: str, index: int) -> None:
    assert verdicts(name, SCHEMAS[name]["examples"][index]) == BOTH_ACCEPT


@pytest.mark.parametrize("key", SCHEMAS[KEY]["examples"])
def test_example_keys_are_accepted_by_both_and_compact(key: list[str | None]) -> None:
    VALIDATORS[KEY].validate(key)
    value = json.dumps(key, separators=(",", ":")).encode()
    assert records.encode_key(records.decode_key(value)) == value


@pytest.mark.parametrize("key", [None, "A1", {}, [], ["A1"], ["A1", "DE", "Home", None], [None] * 3, ["A1", 1, None]])
def test_other_keys_are_rejected_by_both(key: object) -> None:
    assert not VALIDATORS[KEY].is_valid(key)
    with pytest.raises(InvalidRecordError):
        records.decode_key(json.dumps(key).encode())


@pytest.mark.parametrize("name", STRUCTS)
def test_the_first_example_has_every_field(name: str) -> None:
    instance = example(name)
    missing = [path for path, _ in fields(CONTRACTS[name]) if not exists(instance, path)]
    assert missing == []


def exists(instance: Json, path: Steps) -> bool:
    value: Any = instance
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return False
    return True


SAMPLES: dict[str, object] = {
    "null": None,
    "boolean": True,
    "integer": 1,
    "number": 0.5,
    "string": "text",
    "array": [],
    "object": {},
}


def bad_values(contract: Json) -> Iterator[tuple[str, object]]:
    """Values that break one rule of a contract each."""
    allowed = set(contract["type"]) | ({"integer"} if "number" in contract["type"] else set())
    yield from ((f"is {kind}", value) for kind, value in SAMPLES.items() if kind not in allowed)
    for keyword, rule in contract.items():
        match keyword:
            case "minLength":
                yield "too short", "X" * (rule - 1)
            case "maxLength":
                yield "too long", "X" * (rule + 1)
            case "minimum":
                yield "too small", rule - 1
            case "maximum":
                yield "too large", rule + 1
            case "exclusiveMaximum":
                yield "too large", rule
            case "enum":
                yield "not in enum", "no-such-value"
            case "format":
                yield "no format", "yesterday"
                yield "no such day", "2026-02-30" if rule == "date" else "2026-02-30T00:00:00Z"


def good_values(contract: Json) -> Iterator[tuple[str, object]]:
    """Values that just keep one rule of a contract each."""
    if "null" in contract["type"]:
        yield "null", None
    for keyword, rule in contract.items():
        match keyword:
            case "minLength":
                yield "shortest", "X" * rule
            case "maxLength":
                yield "longest", "X" * rule
            case "minimum":
                yield "smallest", rule
            case "maximum":
                yield "largest", rule
            case "enum":
                yield from ((choice, choice) for choice in rule)
            case "default":
                yield "default", rule


def is_required(name: str, path: Steps) -> bool:
    contract = CONTRACTS[name]
    for step in path[:-1]:
        contract = contract["items"] if isinstance(step, int) else contract["properties"][step]
    return path[-1] in contract["required"]


# One test a schema: there are a thousand such values, and a test each would take longer than all of their verdicts.
@pytest.mark.parametrize("name", STRUCTS)
def test_a_bad_value_is_rejected_by_both(name: str) -> None:
    own = [(path, contract) for of, path, contract in FIELDS if of == name]
    found = {
        (path, why): verdicts(name, with_value(example(name), path, value))
        for path, contract in own
        for why, value in bad_values(contract)
    }
    assert found == dict.fromkeys(found, BOTH_REJECT)
    assert {path for path, _ in found} == {path for path, _ in own}


@pytest.mark.parametrize("name", STRUCTS)
def test_a_value_at_its_limit_is_accepted_by_both(name: str) -> None:
    found = {
        (path, why): verdicts(name, with_value(example(name), path, value))
        for of, path, contract in FIELDS
        if of == name
        for why, value in good_values(contract)
    }
    assert found == dict.fromkeys(found, BOTH_ACCEPT)
    assert found


@pytest.mark.parametrize("name", STRUCTS)
def test_only_a_required_field_is_missed_by_both(name: str) -> None:
    paths = [path for of, path, _ in FIELDS if of == name and isinstance(path[-1], str)]
    expected = {path: BOTH_REJECT if is_required(name, path) else BOTH_ACCEPT for path in paths}
    assert {path: verdicts(name, without(example(name), path)) for path in paths} == expected
    assert paths


OBJECTS = [(name, ()) for name in STRUCTS] + [(n, p) for n, p, contract in FIELDS if "object" in contract["type"]]


@pytest.mark.parametrize(("name", "path"), OBJECTS)
def test_unknown_ownare_always_read_but_never_written(name: str, path: Steps) -> None:
    """Readers ignore the fields of newer versions; a schema of records going out states what this version writes."""
    found = verdicts(name, with_value(example(name), (*path, "not_a_field"), 1))
    assert found == {"code": True, "schema": name in INBOUND}


@pytest.mark.parametrize("name", STRUCTS)
def test_every_object_says_whether_unknown_ownmay_be_there(name: str) -> None:
    objects = [part for _, part in parts(SCHEMAS[name]) if "object" in part.get("type", ())]
    assert [part.get("additionalProperties") for part in objects] == [name in INBOUND] * len(objects)


INSTANTS = [(name, path) for name, path, contract in FIELDS if contract.get("format") == "date-time"]


@pytest.mark.parametrize(("name", "path"), INSTANTS)
def test_an_instant_without_an_offset_is_rejected_by_both(name: str, path: Steps) -> None:
    local = parent(example(name), path)[path[-1]]
    assert isinstance(local, str)
    assert verdicts(name, with_value(example(name), path, local.removesuffix("Z"))) == BOTH_REJECT


@pytest.mark.parametrize("name", ["tracking-uploaded", "tracking-scanned"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, BOTH_REJECT),
        ({"order_id": None}, BOTH_REJECT),
        ({"order_id": "028-1"}, BOTH_ACCEPT),
        ({"shipment_id": "028-1-1"}, BOTH_ACCEPT),
        ({"shipment_id": "028-1-1", "order_id": None}, BOTH_ACCEPT),
    ],
)
def test_a_shipment_is_named_by_itself_or_by_its_order(name: str, change: Json, expected: dict[str, bool]) -> None:
    nameless = without(without(example(name), ("order_id",)), ("shipment_id",))
    assert verdicts(name, nameless | change) == expected


CURRENCY: Steps = ("order_value", "currency")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (AMOUNT, "0", BOTH_ACCEPT),
        (AMOUNT, 0, BOTH_ACCEPT),
        (AMOUNT, 24.9, BOTH_ACCEPT),
        (AMOUNT, "0.000001", BOTH_ACCEPT),
        (AMOUNT, "999999999999.999999", BOTH_ACCEPT),
        (AMOUNT, "0.0000001", BOTH_REJECT),
        (AMOUNT, "1.0000000", BOTH_REJECT),
        (AMOUNT, "1000000000000", BOTH_REJECT),
        (AMOUNT, "-1", BOTH_REJECT),
        (AMOUNT, "1,5", BOTH_REJECT),
        (AMOUNT, "", BOTH_REJECT),
        (AMOUNT, "NaN", BOTH_REJECT),
        (AMOUNT, "Infinity", BOTH_REJECT),
        (CURRENCY, "JPY", BOTH_ACCEPT),
        (CURRENCY, "eur", BOTH_REJECT),
        (CURRENCY, "EU1", BOTH_REJECT),
        (CURRENCY, "ÄÖÜ", BOTH_REJECT),
        (("ship_to",), "DE", BOTH_ACCEPT),
        (("ship_to",), "gb", BOTH_ACCEPT),
        (("ship_to",), "UK", BOTH_ACCEPT),
        (("ship_to",), "", BOTH_REJECT),
        (("ship_to",), "D", BOTH_REJECT),
        (("ship_to",), "DEU", BOTH_REJECT),
        (("ship_to",), "D1", BOTH_REJECT),
        (("ship_to",), "ıt", BOTH_REJECT),
        (("ship_to",), "ß", BOTH_REJECT),
        (("ship_to",), "ＤＥ", BOTH_REJECT),
        (("marketplace",), "de", BOTH_ACCEPT),
        (("marketplace",), "GB", BOTH_ACCEPT),
        (("marketplace",), " bol ", BOTH_ACCEPT),
        (("marketplace",), " ", BOTH_REJECT),
        (("marketplace",), "\t\u3000\n", BOTH_REJECT),
    ],
)
def test_refined_ownget_one_verdict(path: Steps, value: object, expected: dict[str, bool]) -> None:
    assert verdicts("order-shipped", with_value(example("order-shipped"), path, value)) == expected


def test_refinements_have_one_value_test_each() -> None:
    """A refinement is compared with itself only, so each needs a test of its own above."""
    tested = {"shipment_id", "marketplace", "ship_from", "ship_to", "amount", "currency", ""}
    assert {str(refinement.path[-1]) if refinement.path else "" for refinement in REFINEMENTS} == tested
