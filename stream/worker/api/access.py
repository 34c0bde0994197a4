"""Who may ask the API: anybody on this machine where the server listens on loopback only, else who has the token."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from stream.settings import Settings
from stream.worker.api.problems import ProblemError

SCHEME = "Bearer"


class Access:
    """The rules of one worker. ``refusal`` says why it must not serve the API at all, None where it may."""

    def __init__(self, settings: Settings) -> None:
        self._token = None if settings.api_token is None else settings.api_token.encode()
        self._web_host = settings.web_host
        self.refusal: str | None = None
        if self._token is None and not _is_loopback(settings.web_host):
            self.refusal = (
                f"the HTTP API is off: web_host {settings.web_host} is not a loopback address, so it needs a token; "
                "set api_token (VTR_API_TOKEN)"
            )

    @property
    def headers(self) -> dict[str, str]:
        """What a request to another worker carries."""
        return {} if self._token is None else {"Authorization": f"{SCHEME} {self._token.decode()}"}

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises :class:`~stream.worker.api.problems.ProblemError` where a request must not be answered."""
        if self.refusal is not None:
            raise ProblemError(HTTPStatus.FORBIDDEN, self.refusal)
        if self._token is None:
            self._check_host(headers.get("Host", ""))
            return
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        # In constant time, so that nobody can find the token out character by character.
        is_right = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), self._token)
        if scheme.casefold() != SCHEME.casefold() or not is_right:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                f"this API needs the header `Authorization: {SCHEME} …` with the deployment's api_token",
                WWW_Authenticate=SCHEME,
            )

    def _check_host(self, host: str) -> None:
        """A web page that a browser on this machine shows must not ask by a name that it has led here."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = ""
        if not (_is_loopback(name) or name == self._web_host):
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "without an api_token this API answers requests to a loopback address only"
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
