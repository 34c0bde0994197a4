"""What can be asked of the API: the query parameters, typed, with the descriptions that its document gives."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from stream.records import Status
from stream.report import Window
from stream.subscribe import ScopeWidth
from stream.worker.api.problems import bad_request

DEFAULT_LIMIT = 100
MOST_PER_PAGE = 1_000
"""Each worker makes so many metrics at most between two of its steps: 15 ms."""

Given = Annotated[str, Meta(min_length=1, max_length=1024)]

Query = TypeVar("Query", bound=Struct)


class NoQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing can be chosen."""


class ScopesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which scopes to list."""

    status: Annotated[Status | UnsetType, Meta(description="only scopes of this status")] = UNSET
    below: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | UnsetType,
        Meta(description="only scopes whose live VTR is below this rate, compared exactly"),
    ] = UNSET
    scope: Annotated[
        ScopeWidth | UnsetType, Meta(description="only scopes of this width: whole sellers, for example")
    ] = UNSET
    marketplace: Annotated[Given | UnsetType, Meta(description="only scopes of this marketplace, by code or id")] = (
        UNSET
    )
    limit: Annotated[int, Meta(ge=1, le=MOST_PER_PAGE, description="most scopes in an answer")] = DEFAULT_LIMIT
    cursor: Annotated[
        Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,16384}$")] | UnsetType,
        Meta(description="`next_cursor` of the answer that this one follows"),
    ] = UNSET


class ReportQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which defects to report, and how."""

    window: Annotated[
        Window, Meta(description="by ship time, up to now; or by promised delivery, as the marketplace has it")
    ] = "live"
    marketplace: Annotated[Given | UnsetType, Meta(description="only this marketplace, by code or id")] = UNSET
    category: Annotated[Given | UnsetType, Meta(description="only this category")] = UNSET
    carrier: Annotated[Given | UnsetType, Meta(description="only this carrier, however it is spelt")] = UNSET
    format: Annotated[Literal["json", "csv"], Meta(description="for programs, or for spreadsheets")] = "json"


def parsed(query: Sequence[tuple[str, str]], kind: type[Query]) -> Query:
    """The query of a request. Raises :class:`~stream.worker.api.problems.ProblemError` that names the parameter."""
    given: Mapping[str, str] = dict(query)
    if len(given) < len(query):
        names = [name for name, _ in query]
        twice = next(name for name in names if names.count(name) > 1)
        raise bad_request(f"the parameter {twice!r} is given more than once")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        message = str(error).replace("Object contains unknown field", "There is no parameter").replace("`$.", "`")
        raise bad_request(message) from None
