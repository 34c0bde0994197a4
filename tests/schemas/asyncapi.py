"""The AsyncAPI document, and its parts with their references followed."""

from typing import Any

import yaml
from referencing import Registry, Specification

from stream.settings import Settings
from tests.schemas.documents import FOLDER, SCHEMAS, Json

ASYNCAPI: Json = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))
OPAQUE: Specification[Any] = Specification.OPAQUE
DOCUMENTS: Registry[Any] = Registry().with_resources(
    [
        ("asyncapi.yaml", OPAQUE.create_resource(ASYNCAPI)),
        *((f"{name}.schema.json", OPAQUE.create_resource(schema)) for name, schema in SCHEMAS.items()),
    ]
)
DEFAULTS = Settings()
COMPONENTS: Json = ASYNCAPI["components"]


def resolved(part: Json) -> Json:
    """A part of the AsyncAPI document, or what its reference points to."""
    while "$ref" in part:
        assert part.keys() == {"$ref"}
        part = DOCUMENTS.resolver("asyncapi.yaml").lookup(part["$ref"]).contents
    return part


def message(channel: str, name: str) -> Json:
    return resolved(ASYNCAPI["channels"][channel]["messages"][name])


def kafka(part: Json) -> Json:
    binding: Json = resolved(part["bindings"])["kafka"]
    assert binding["bindingVersion"] == "0.5.0"
    return binding
