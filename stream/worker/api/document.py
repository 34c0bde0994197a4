"""The OpenAPI document of the API, made from the types of its queries and answers.

``schemas/openapi.json`` is this document: ``python -m stream.worker.api`` prints it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import Struct

from stream.report import DefectReport
from stream.worker.api import problems
from stream.worker.api.answers import DeploymentHealth, ScopePage, SellerMetrics
from stream.worker.api.problems import Problem
from stream.worker.api.queries import NoQuery, ReportQuery, ScopesQuery

Json = dict[str, Any]

OPENAPI = "3.1.1"

_REF = "#/components/schemas/{name}"

_SELLER: Json = {
    "name": "seller_id",
    "in": "path",
    "required": True,
    "description": "the seller's id",
    "schema": {"type": "string", "minLength": 1, "maxLength": 1024},
}

_WHOLE = (
    "Any worker answers for all: what another one has is asked of it. Nothing is left out of an answer; while "
    "partitions move there is none, but 503 with `Retry-After`."
)


@cache
def document() -> Json:
    """The document."""
    answers: Sequence[type[Struct]] = (SellerMetrics, ScopePage, DefectReport, DeploymentHealth, Problem)
    _, components = msgspec.json.schema_components(answers, ref_template=_REF)
    for schema in components.values():
        if "description" in schema:
            # A docstring, from which only Python 3.13 and later take the indentation themselves.
            schema["description"] = cleandoc(schema["description"])
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "VTR stream",
            "version": version("vtr-stream"),
            "description": f"Live Valid Tracking Rates of marketplace sellers, read-only. {_WHOLE}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{}, {"token": []}],
        "paths": {
            "/sellers/{seller_id}": {
                "get": _operation(
                    "getSeller",
                    "The metrics of a seller",
                    "In all scopes: the seller over all, on each marketplace, and there in each category.",
                    NoQuery,
                    {"application/json": _ref(SellerMetrics)},
                    of_seller=True,
                )
            },
            "/sellers/{seller_id}/report": {
                "get": _operation(
                    "getDefectReport",
                    "The defects of a seller, and what to do about them",
                    "Its rows are exactly the shipments that the metric counts as defects, as of the hour that the "
                    "worker has reached. As CSV it is safe to open in a spreadsheet: an apostrophe stands before what "
                    "could be taken for a formula.",
                    ReportQuery,
                    {"application/json": _ref(DefectReport), "text/csv": {"schema": {"type": "string"}}},
                    of_seller=True,
                )
            },
            "/scopes": {
                "get": _operation(
                    "listScopes",
                    "Scopes by status or rate",
                    "In order of seller, marketplace and category, wider ones before those within them. While metrics "
                    "change, a page may have fewer scopes than `limit`; the last one has no `next_cursor`.",
                    ScopesQuery,
                    {"application/json": _ref(ScopePage)},
                )
            },
            "/health": {
                "get": _operation(
                    "getHealth",
                    "All workers, and why one is not ready",
                    "For people and dashboards, with status 200 also where a worker is not ready; probes ask a "
                    "worker's own /livez and /readyz.",
                    NoQuery,
                    {"application/json": _ref(DeploymentHealth)},
                )
            },
            "/openapi.json": {
                "get": _operation(
                    "getDocument",
                    "This document",
                    "As the worker has it.",
                    NoQuery,
                    {"application/json": {"schema": {"type": "object"}}},
                )
            },
        },
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The deployment's `api_token`, where one is set.",
                }
            },
        },
    }


def _operation(
    name: str,
    summary: str,
    description: str,
    query: type[Struct],
    content: Mapping[str, Json],
    *,
    of_seller: bool = False,
) -> Json:
    refused = {
        "400": "The query cannot be meant.",
        "401": "The token is missing or wrong.",
        "403": "The API is off, or answers to loopback addresses only.",
        "503": "Partitions are moving, or a worker does not answer. Ask again.",
    }
    if of_seller:
        refused["404"] = "There is no such seller."
    responses: Json = {"200": {"description": "The answer.", "content": dict(content)}}
    for status, meaning in sorted(refused.items()):
        responses[status] = {
            "description": meaning,
            "content": {problems.CONTENT_TYPE: _ref(Problem)},
        }
    responses["401"]["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}}
    responses["503"]["headers"] = {
        "Retry-After": {"required": True, "description": "seconds", "schema": {"type": "integer", "minimum": 0}}
    }
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "parameters": [*([_SELLER] if of_seller else []), *_parameters(query)],
        "responses": responses,
    }


def _parameters(query: type[Struct]) -> list[Json]:
    (schema,), components = msgspec.json.schema_components([query], ref_template=_REF)
    found: Json = next(iter(components.values())) if "$ref" in schema else schema
    parameters = []
    for name, field in found["properties"].items():
        meaning = field.pop("description")
        parameters.append({"name": name, "in": "query", "required": False, "description": meaning, "schema": field})
    return parameters


def _ref(kind: type[Struct]) -> Json:
    return {"schema": {"$ref": _REF.format(name=kind.__name__)}}
