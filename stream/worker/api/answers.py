"""The answers of the API that are not records or reports themselves."""

from typing import Annotated

from msgspec import Meta, Struct

from stream.records import Metric


class SellerMetrics(Struct, frozen=True, kw_only=True):
    """The metrics of all scopes of a seller, the widest first."""

    seller_id: str
    scopes: list[Metric]


class ScopePage(Struct, frozen=True, kw_only=True):
    """Scopes in order of seller, marketplace and category. ``next_cursor`` asks for those after them; null at the
    end."""

    scopes: list[Metric]
    next_cursor: str | None


class WorkerHealth(Struct, frozen=True, kw_only=True):
    """One worker: whether it does its work, and why not; the partitions that it has; how many records of them it has
    not processed yet, where that is known."""

    url: str
    ready: bool
    why_not: list[str]
    partitions: list[int]
    lag_records: Annotated[int, Meta(ge=0)] | None


class DeploymentHealth(Struct, frozen=True, kw_only=True):
    """All workers. ``ready``: each of them is, and between them they have every partition."""

    ready: bool
    missing_partitions: list[int]
    workers: list[WorkerHealth]
