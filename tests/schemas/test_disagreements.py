"""What schema and code cannot agree on by nature, and that there is nothing else."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.events import decoding
from tests.schemas.contracts import FIELDS
from tests.schemas.documents import AMOUNT, BOTH_ACCEPT, BOTH_REJECT, Steps, example, verdicts, with_value


@dataclass(frozen=True)
class Disagreement:
    """A change of an example on which code and schema differ, and why that is right."""

    schema: str
    path: Steps
    value: object
    accepted_by: str
    reason: str


BETWEEN_FIELDS = "a rule between two fields; JSON Schema compares no values"
NO_DATES = "JSON Schema has formats of instants but no order of them"
COUNTRY_LIST = "the list of countries is the code's; the schema gives the form of a code"
STRICT_SENDER = "the code forgives how a value is written; the schema states the one way to write it"
BEYOND_RFC = "msgspec reads more than RFC 3339 allows; the schema's format is RFC 3339"
DECIMALS = "multipleOf on binary floats rejects right amounts, so the schema leaves a number's decimals open"
WHOLE_FLOATS = "to JSON Schema 1.0 is an integer; the product never writes it and the code does not read it"
SIZE = "JSON Schema does not see bytes"

DISAGREEMENTS = [
    Disagreement("order-shipped", ("event_time",), "1999-12-31T23:59:59Z", "schema", NO_DATES),
    Disagreement("order-shipped", ("shipped_at",), "2025-10-01T00:00:00Z", "schema", BETWEEN_FIELDS),
    Disagreement("order-shipped", ("shipped_at",), "2026-12-03T00:00:00Z", "schema", BETWEEN_FIELDS),
    Disagreement("order-shipped", ("promised_delivery_by",), "2025-10-01T00:00:00Z", "schema", BETWEEN_FIELDS),
    Disagreement("order-shipped", ("promised_delivery_by",), "2027-12-01T00:00:00Z", "schema", BETWEEN_FIELDS),
    Disagreement("tracking-uploaded", ("uploaded_at",), "2027-12-01T00:00:00Z", "schema", BETWEEN_FIELDS),
    Disagreement("tracking-scanned", ("scanned_at",), "2025-10-01T00:00:00Z", "schema", BETWEEN_FIELDS),
    Disagreement("order-shipped", ("ship_from",), "EU", "schema", COUNTRY_LIST),
    Disagreement("order-shipped", ("ship_to",), "zz", "schema", COUNTRY_LIST),
    Disagreement("order-shipped", ("ship_to",), " de ", "code", STRICT_SENDER),
    Disagreement("order-shipped", AMOUNT, "1e3", "code", STRICT_SENDER),
    Disagreement("order-shipped", AMOUNT, " 1.", "code", STRICT_SENDER),
    Disagreement("order-shipped", AMOUNT, "1_0", "code", STRICT_SENDER),
    Disagreement("order-shipped", AMOUNT, "٣", "code", STRICT_SENDER),
    Disagreement("order-shipped", AMOUNT, 0.1234567, "schema", DECIMALS),
    Disagreement("order-shipped", ("event_time",), "2026-11-01 12:00:00Z", "code", BEYOND_RFC),
    Disagreement("order-shipped", ("event_time",), "2026-11-01T12:00:00+0000", "code", BEYOND_RFC),
    Disagreement("order-shipped", ("unknown",), "x" * decoding.MAX_EVENT_BYTES, "schema", SIZE),
    Disagreement("vtr-metric", ("allowance",), 1.0, "schema", WHOLE_FLOATS),
]
DISAGREED = {(disagreement.schema, disagreement.path) for disagreement in DISAGREEMENTS}


@pytest.mark.parametrize("known", DISAGREEMENTS, ids=lambda known: f"{known.schema}-{known.path}-{known.value!s:.30}")
def test_known_disagreements_are_still_so(known: Disagreement) -> None:
    found = verdicts(known.schema, with_value(example(known.schema), known.path, known.value))
    assert found == {side: side == known.accepted_by for side in found}, known.reason


ANY_JSON: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([(name, path) for name, path, _ in FIELDS if (name, path) not in DISAGREED]), ANY_JSON)
def test_any_value_in_any_other_field_gets_one_verdict(field: tuple[str, Steps], value: object) -> None:
    name, path = field
    found = verdicts(name, with_value(example(name), path, value))
    assert found in (BOTH_ACCEPT, BOTH_REJECT)
