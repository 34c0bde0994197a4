"""What goes wrong, as RFC 9457 has it: one JSON object with one clear sentence."""

from http import HTTPStatus

from msgspec import Struct

CONTENT_TYPE = "application/problem+json"

RETRY_AFTER = 5
"""Seconds after which to ask again while partitions move: a rebalance takes a few."""


MAX_DETAIL = 500
"""Characters; an id that is quoted can be longer."""


class Problem(Struct, frozen=True, kw_only=True):
    """Why there is no answer. ``title`` goes with the status, ``detail`` is about this request."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problem(status: HTTPStatus, detail: str) -> Problem:
    """A problem in one printable line, whatever of the request it quotes."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in detail[:MAX_DETAIL])
    return Problem(title=status.phrase, status=status.value, detail=line)


class ProblemError(Exception):
    """Ends a request with a problem. ``headers`` go with it."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def bad_request(detail: str) -> ProblemError:
    """The request cannot be meant."""
    return ProblemError(HTTPStatus.BAD_REQUEST, detail)


def not_found(detail: str) -> ProblemError:
    """There is no such thing."""
    return ProblemError(HTTPStatus.NOT_FOUND, detail)


def unavailable(detail: str) -> ProblemError:
    """There will be an answer in a while."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, Retry_After=str(RETRY_AFTER))
