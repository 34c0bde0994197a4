"""The OpenAPI document is the code's: it is the file in ``schemas/``, and what the API says and takes is what it says.

Requests are drawn from the document alone, such as it allows and such as it does not.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.worker.api.document import document
from stream.worker.api.routes import PREFIX
from tests.api.group import NOW, Group, Page
from tests.api.test_access import is_problem
from tests.schemas.documents import FORMATS
from tests.test_engine_properties import HOUR, all_decoded, examples, shipped, tracked

Json = dict[str, Any]

FILE = Path(__file__).parents[2] / "schemas" / "openapi.json"
DOCUMENT: Json = json.loads(FILE.read_text(encoding="utf-8"))
OPERATIONS: dict[str, Json] = {path: item["get"] for path, item in DOCUMENT["paths"].items()}

SELLERS = ["A", "B", "é/?#%&= 🎁"]
TOKEN = "a-token-of-24-characters"  # noqa: S105 - of these tests alone


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    at = NOW - 40 * HOUR
    lines = [shipped(f"{n}{seller}", at, seller_id=seller) for seller in SELLERS for n in range(8)]
    value = {"amount": "12.345", "currency": "EUR"}
    lines += [shipped("v", at, order_value=value, ship_method="Paket", ship_from="DE", event_id="2")]
    lines += [tracked(f"{n}{seller}", at, seller_id=seller) for seller in SELLERS for n in range(3)]
    with Group(2, 2, api_token=TOKEN) as group:
        group.apply(all_decoded(lines))
        yield group


# --- The document ----------------------------------------------------------------------------------------------------


def test_the_file_is_what_the_code_says() -> None:
    made = json.loads(json.dumps(document()))
    assert made == DOCUMENT, "run `python -m stream.worker.api > schemas/openapi.json`"


def test_every_path_is_served_and_every_served_path_is_described(group: Group) -> None:
    (api,) = group.workers[0].app.web.web_app._subapps  # type: ignore[attr-defined]
    served = {resource.canonical for resource in api.router.resources()}
    assert served == {PREFIX + path for path in OPERATIONS}
    assert DOCUMENT["servers"] == [{"url": PREFIX}]


def test_schemas_are_valid_and_references_lead_somewhere() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = set(find(DOCUMENT, "$ref"))
    assert references == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))


def find(within: object, key: str) -> Iterator[str]:
    if isinstance(within, Mapping):
        if key in within:
            yield within[key]
        for value in within.values():
            yield from find(value, key)
    elif isinstance(within, list):
        for value in within:
            yield from find(value, key)


def test_the_worker_serves_it(group: Group) -> None:
    page = group.workers[0].get(f"{PREFIX}/openapi.json", Authorization=f"Bearer {TOKEN}")
    assert page.json == DOCUMENT


# --- Requests --------------------------------------------------------------------------------------------------------


class Request(NamedTuple):
    path: str
    template: str
    query: tuple[tuple[str, str], ...]
    is_allowed: bool
    worker: int

    @property
    def target(self) -> str:
        return f"{PREFIX}{self.path}{f'?{urlencode(self.query)}' if self.query else ''}"


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def allowed(schema: Json) -> st.SearchStrategy[str]:
    """Values of a parameter that its schema allows, as they are sent."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"]).map(str)
    if schema["type"] == "number":
        numbers = st.floats(schema["minimum"], schema["maximum"]) | st.sampled_from([0.0, 0.375, 0.95, 1.0])
        return numbers.map(repr)
    assert schema["type"] == "string"
    if "pattern" in schema:
        return st.from_regex(str(schema["pattern"]), fullmatch=True).filter(lambda text: not text.endswith("\n"))
    return st.sampled_from(["DE", "Home", "DHL"]) | TEXT


def refused(schema: Json) -> st.SearchStrategy[str]:
    """Values that it does not allow."""
    if "enum" in schema:
        return TEXT.filter(lambda text: text not in schema["enum"]) | st.sampled_from(["", "null", "None"])
    if schema["type"] in ("integer", "number"):
        beyond = st.integers(max_value=schema["minimum"] - 1) | st.integers(min_value=schema["maximum"] + 1)
        return beyond.map(str) | st.sampled_from(["", "x", "nan", "inf", "-0.1", "1001", "null", "0x1", "²", "1;2"])
    if "pattern" in schema:
        return st.sampled_from(["", " ", "=", "é", "A+", "\n"])
    return st.sampled_from(["", "x" * (schema["maxLength"] + 1)])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    template = draw(st.sampled_from(sorted(OPERATIONS)))
    parameters = OPERATIONS[template]["parameters"]
    path, query, is_allowed = template, [], True
    for parameter in parameters:
        if parameter["in"] == "path":
            value = draw(st.sampled_from(SELLERS) | TEXT.filter(lambda text: text not in (".", "..")))
            path = path.replace(f"{{{parameter['name']}}}", quote(value, safe=""))
        elif draw(st.booleans()):
            is_fine = draw(st.sampled_from([True] * 9 + [False]))
            value = draw((allowed if is_fine else refused)(parameter["schema"]))
            query.append((parameter["name"], value))
            is_allowed = is_allowed and is_fine
    known = {parameter["name"] for parameter in parameters}
    oddity = draw(st.sampled_from([""] * 12 + ["unknown", "twice"]))
    if oddity == "unknown":
        query.append((draw(TEXT.filter(lambda text: text not in known)), draw(TEXT)))
        is_allowed = False
    elif oddity == "twice" and query:
        query.append(draw(st.sampled_from(query)))
        is_allowed = False
    return Request(path, template, tuple(draw(st.permutations(query))), is_allowed, draw(st.integers(0, 1)))


def is_as_described(page: Page, operation: Json) -> None:
    """Asserts that the document has the answer's status, headers and type, and that the body is what it says."""
    described = operation["responses"].get(str(page.status))
    assert described is not None, f"{page.status}: {page.body!r}"
    for name, header in described.get("headers", {}).items():
        value = page.headers[name.lower()]
        Draft202012Validator(header["schema"]).validate(
            int(value) if header["schema"].get("type") == "integer" else value
        )
    kind = page.headers["content-type"].partition(";")[0]
    schema = described["content"][kind]["schema"]
    validator = Draft202012Validator({**DOCUMENT, **schema}, format_checker=FORMATS)
    if kind.endswith("json"):
        validator.validate(page.json)
        has_no_more_than_described(page.json, schema)
    else:
        validator.validate(page.body.decode())


def has_no_more_than_described(value: object, schema: Json) -> None:
    """JSON Schema lets an object have more than it names; ours have not."""
    options = schema.get("anyOf", [schema])
    named = [
        DOCUMENT["components"]["schemas"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in options
    ]
    if isinstance(value, list):
        (items,) = [each["items"] for each in named if each.get("type") == "array"]
        for item in value:
            has_no_more_than_described(item, items)
    elif isinstance(value, dict):
        (properties,) = [each.get("properties") for each in named if each.get("type") == "object"]
        if properties is not None:
            assert value.keys() <= properties.keys()
            for name, item in value.items():
                has_no_more_than_described(item, properties[name])


@given(request=requests())
@examples(150)
def test_answers_are_as_described(group: Group, request: Request) -> None:
    page = group.workers[request.worker].get(request.target, Authorization=f"Bearer {TOKEN}")
    event(f"{request.template} {page.status}")
    is_as_described(page, OPERATIONS[request.template])
    assert page.status in (200, 400, 404)
    if not request.is_allowed:
        is_problem(page, 400)
    elif page.status == 400:
        # A schema cannot say which cursors there are.
        assert is_problem(page, 400).startswith("`cursor` is none")
    elif page.status == 404:
        assert "{seller_id}" in request.template


@given(
    st.text(max_size=30),
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]),
    st.binary(max_size=20),
)
@examples(60)
def test_nothing_else_is_there(group: Group, rest: str, method: str, raw: bytes) -> None:
    for path in (f"{PREFIX}/{quote(rest)}", f"{PREFIX}/sellers/{quote(raw)}/x", f"{PREFIX}/{quote(raw)}"):
        page = group.workers[0].get(path, method, Authorization=f"Bearer {TOKEN}")
        event(str(page.status))
        if method == "HEAD":
            assert (page.status, page.body) == (404, b"")
        else:
            is_problem(page, 405 if page.status == 405 else 404)


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_it_is_read_only(group: Group, path: str) -> None:
    target = PREFIX + path.replace("{seller_id}", "A")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        page = group.workers[0].get(target, method, Authorization=f"Bearer {TOKEN}")
        is_problem(page, 405)
        assert page.headers["allow"] == "GET,HEAD"


def test_what_the_described_answers_have(group: Group) -> None:
    """That the fuzzer meets more than empty answers."""
    worker = group.workers[0]
    for path in (
        "/sellers/A/report",
        "/sellers/A",
        "/scopes",
        "/health",
        f"/sellers/{quote(SELLERS[2], safe='')}/report",
    ):
        page = worker.get(PREFIX + path, Authorization=f"Bearer {TOKEN}")
        template = path.replace("/A", "/{seller_id}").replace(quote(SELLERS[2], safe=""), "{seller_id}")
        assert page.status == 200
        is_as_described(page, OPERATIONS[template])
    report = worker.get(f"{PREFIX}/sellers/A/report", Authorization=f"Bearer {TOKEN}").json
    assert len(report["defects"]) == 6
    assert {"amount": "12.345", "currency": "EUR"} in [defect["order_value"] for defect in report["defects"]]
