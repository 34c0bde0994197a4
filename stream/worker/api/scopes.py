"""Lists of scopes: which are wanted, their order, and how the pages of several workers become one."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from fractions import Fraction
from heapq import nsmallest
from operator import itemgetter
from typing import TypeVar

from msgspec import UNSET

from stream.engine.scope import ScopeState
from stream.places import canonical_marketplace
from stream.records import InvalidRecordError, Metric, Scope, Status, decode_key, encode_key
from stream.subscribe import ScopeWidth
from stream.worker.api.answers import ScopePage
from stream.worker.api.problems import bad_request
from stream.worker.api.queries import ScopesQuery

Place = tuple[str, str, str]
"""Where a scope stands in the order: wider ones before those within them. No marketplace and no category is empty."""

T = TypeVar("T")


class Wanted:
    """The scopes that a query asks for, after its cursor. Raises :class:`~stream.worker.api.problems.ProblemError`."""

    def __init__(self, query: ScopesQuery) -> None:
        self.limit = query.limit
        self._status = query.status
        self._scope = query.scope
        self._after = None if query.cursor is UNSET else place(_scope_of(query.cursor))
        self._marketplace = None if query.marketplace is UNSET else canonical_marketplace(query.marketplace)
        # As it is written, so that 0.95 is 95/100.
        self._below = None if query.below is UNSET else Fraction(repr(query.below))

    def has(self, scope: Scope, status: Status, valid: int, counted: int) -> bool:
        """Whether a scope with this status and these counts of the live window is wanted."""
        return (
            (self._after is None or place(scope) > self._after)
            and self._status in (UNSET, status)
            and self._scope in (UNSET, _width(scope))
            and self._marketplace in (None, scope.marketplace)
            and (self._below is None or valid * self._below.denominator < self._below.numerator * counted)
        )

    def has_state(self, state: ScopeState) -> bool:
        """The same of an engine's scope."""
        valid = state.live.valid
        return self.has(state.scope, state.status, valid, valid + state.live.defects)

    def has_metric(self, metric: Metric) -> bool:
        """The same of a metric."""
        return self.has(metric.scope, metric.status, metric.live.valid, metric.live.counted)

    def first(self, found: Iterable[tuple[ScopeState, T]]) -> list[tuple[ScopeState, T]]:
        """Of an engine's scopes, each with something, the first that are wanted: one more than fit, if there are."""
        wanted = ((place(state.scope), (state, it)) for state, it in found if self.has_state(state))
        return [each for _, each in nsmallest(self.limit + 1, wanted, key=itemgetter(0))]


def place(scope: Scope) -> Place:
    """See :data:`Place`."""
    return scope.seller_id, scope.marketplace or "", scope.category or ""


def merged(pages: Sequence[ScopePage], limit: int) -> ScopePage:
    """The first page of all scopes, from the first page of each part of them."""
    scopes = sorted((metric for page in pages for metric in page.scopes), key=lambda metric: place(metric.scope))
    ends = [(place(_scope_of(page.next_cursor)), page.next_cursor) for page in pages if page.next_cursor is not None]
    end, next_cursor = min(ends, default=(None, None))
    if end is not None:
        # What the others have behind the end of a part may come after something that the part has yet to say.
        scopes = [metric for metric in scopes if place(metric.scope) <= end]
    if len(scopes) > limit:
        scopes, next_cursor = scopes[:limit], cursor(scopes[limit - 1].scope)
    return ScopePage(scopes=scopes, next_cursor=next_cursor)


def cursor(scope: Scope) -> str:
    """Stands for what comes after a scope."""
    return urlsafe_b64encode(encode_key(scope)).decode().rstrip("=")


def _scope_of(given: str) -> Scope:
    try:
        return decode_key(urlsafe_b64decode(given + "=" * (-len(given) % 4)))
    except (ValueError, InvalidRecordError):
        raise bad_request("`cursor` is none that an answer gave as `next_cursor`") from None


def _width(scope: Scope) -> ScopeWidth:
    if scope.marketplace is None:
        return "seller"
    return "marketplace" if scope.category is None else "category"
