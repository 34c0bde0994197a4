"""What a schema and a Struct say, in one form that can be compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec.inspect as mi
from msgspec import NODEFAULT
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from stream.events import decoding
from tests.schemas.documents import INBOUND, STRUCTS, Json, Steps

PROSE = {"$schema", "$id", "$defs", "title", "description", "examples", "additionalProperties"}
"""What a contract leaves out. Whether other properties may be there has a test of its own."""


def contract_in(schema: Json, root: Json) -> Json:
    """The contract a schema states."""
    if "$ref" in schema:
        return contract_in(target(schema, root), root)
    contract = {keyword: value for keyword, value in schema.items() if keyword not in PROSE}
    if "const" in contract:
        contract |= {"type": "string", "enum": [contract.pop("const")]}
    if "type" in contract:
        contract["type"] = [contract["type"]] if isinstance(contract["type"], str) else sorted(contract["type"])
    for keyword in contract.keys() & {"enum", "required"}:
        contract[keyword] = sorted(contract[keyword])
    if "properties" in contract:
        contract["properties"] = {name: contract_in(part, root) for name, part in contract["properties"].items()}
    if "items" in contract:
        contract["items"] = contract_in(contract["items"], root)
    if "anyOf" in contract:
        contract["anyOf"] = [contract_in(part, root) for part in contract["anyOf"]]
    return contract


def target(reference: Json, root: Json) -> Json:
    """What a reference within one file points to."""
    assert reference.keys() == {"$ref"}, "what stands beside $ref is lost in AsyncAPI tools"
    file: Registry[Any] = Registry().with_resource("", DRAFT202012.create_resource(root))
    contents: Json = file.resolver().lookup(reference["$ref"]).contents
    return contents


def contract_of(kind: mi.Type) -> Json:
    """The contract msgspec holds a type to."""
    match kind:
        case mi.StructType():
            return struct_contract(kind)
        case mi.UnionType(types=(inner, mi.NoneType())):
            contract = contract_of(inner)
            return contract | {"type": sorted([*contract["type"], "null"])}
        case mi.LiteralType(values=values):
            return {"type": ["string"], "enum": sorted(map(str, values))}
        case mi.ListType(item_type=item, min_length=fewest, max_length=most):
            return {"type": ["array"], "items": contract_of(item)} | given_only(minItems=fewest, maxItems=most)
        case mi.StrType(min_length=shortest, max_length=longest, pattern=pattern):
            return {"type": ["string"]} | given_only(minLength=shortest, maxLength=longest, pattern=pattern)
        case mi.IntType():
            return {"type": ["integer"]} | bounds(kind)
        case mi.FloatType():
            return {"type": ["number"]} | bounds(kind)
        case mi.DecimalType():
            return {"type": ["number", "string"]}
        case mi.DateTimeType(tz=True):
            return {"type": ["string"], "format": "date-time"}
        case mi.DateType():
            return {"type": ["string"], "format": "date"}
    raise AssertionError(f"no contract for {kind}; add it here")


def bounds(kind: mi.IntType | mi.FloatType) -> Json:
    return given_only(
        minimum=kind.ge,
        maximum=kind.le,
        exclusiveMinimum=kind.gt,
        exclusiveMaximum=kind.lt,
        multipleOf=kind.multiple_of,
    )


def given_only(**keywords: object) -> Json:
    return {keyword: value for keyword, value in keywords.items() if value is not None}


def struct_contract(kind: mi.StructType) -> Json:
    properties: Json = {} if kind.tag is None else {"type": {"type": ["string"], "enum": [kind.tag]}}
    for field in kind.fields:
        assert field.default_factory is NODEFAULT, "a schema's default is a value"
        properties[field.encode_name] = contract_of(field.type)
        if field.default is not NODEFAULT:
            properties[field.encode_name]["default"] = field.default
    required = {field.encode_name for field in kind.fields if field.required} | ({"type"} if kind.tag else set())
    return {"type": ["object"], "required": sorted(required), "properties": properties}


@dataclass(frozen=True)
class Refinement:
    """What the code checks after msgspec's types, or its types say in another way. None leaves a keyword out."""

    schema: str
    path: Steps
    keywords: Json
    reason: str


NAMES_ITS_SHIPMENT = {
    "anyOf": [
        {"required": ["shipment_id"]},
        {"required": ["order_id"], "properties": {"order_id": {"type": ["string"]}}},
    ]
}
AMOUNT_DIGITS = len(f"{decoding.MAX_AMOUNT:f}") - 1
REFINEMENTS = [
    *(
        Refinement(name, ("properties", "shipment_id"), {"default": None}, "the default is order_id, not the Struct's")
        for name in INBOUND
    ),
    *(
        Refinement(name, (), NAMES_ITS_SHIPMENT, "decode asks for order_id where shipment_id is absent")
        for name in ("tracking-uploaded", "tracking-scanned")
    ),
    *(
        Refinement(
            "order-shipped",
            ("properties", field),
            {"maxLength": None, "pattern": "^[A-Za-z]{2}$"},
            "decode knows the countries; the schema gives their form",
        )
        for field in ("ship_from", "ship_to")
    ),
    Refinement("order-shipped", ("properties", "marketplace"), {"pattern": r"\S"}, "decode rejects a blank one"),
    Refinement(
        "order-shipped",
        ("properties", "order_value", "properties", "amount"),
        {
            "pattern": rf"^[0-9]{{1,{AMOUNT_DIGITS}}}(\.[0-9]{{1,{decoding.MAX_AMOUNT_DECIMALS}}})?$",
            "minimum": 0,
            "exclusiveMaximum": int(decoding.MAX_AMOUNT),
        },
        "decode bounds the amount and its decimals",
    ),
    Refinement(
        "order-shipped",
        ("properties", "order_value", "properties", "currency"),
        {"pattern": "^[A-Z]{3}$"},
        "decode asks for capitals",
    ),
]


def code_contract(name: str) -> Json:
    """The contract the code holds a record to, as far as a schema can state it."""
    contract = contract_of(mi.type_info(STRUCTS[name]))
    for refinement in REFINEMENTS:
        if refinement.schema == name:
            part: Any = contract
            for step in refinement.path:
                part = part[step]
            part |= refinement.keywords
            for keyword in [keyword for keyword, value in refinement.keywords.items() if value is None]:
                del part[keyword]
    return contract


CONTRACTS = {name: code_contract(name) for name in STRUCTS}


def fields(contract: Json, path: Steps = ()) -> Iterator[tuple[Steps, Json]]:
    """Every field of a record, with the contract of its value. Of a list's items, the first."""
    for name, part in contract.get("properties", {}).items():
        yield (*path, name), part
        yield from fields(part, (*path, name))
    if "items" in contract:
        yield (*path, 0), contract["items"]
        yield from fields(contract["items"], (*path, 0))


FIELDS = [(name, path, contract) for name in STRUCTS for path, contract in fields(CONTRACTS[name])]
