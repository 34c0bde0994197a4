"""Who gets an answer, and what those are told who get none."""

import hmac
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from stream.settings import Settings, SettingsError, load_settings
from stream.worker.api.access import Access
from tests.api.group import NOW, Group, Page, partition_of
from tests.test_engine_properties import all_decoded, shipped

TOKEN = "a-token-of-24-characters"  # noqa: S105 - of these tests alone
SELLERS = ["A", "A1", "B", "C"]
PATHS = ["/api/v1/health", "/api/v1/scopes", "/api/v1/openapi.json", "/api/v1/sellers/A", "/api/v1/nothing"]


@pytest.fixture(scope="module")
def with_token() -> Iterator[Group]:
    with Group(2, 2, api_token=TOKEN) as group:
        group.apply(all_decoded(shipped(each, NOW.replace(hour=1), seller_id=each) for each in SELLERS))
        yield group


def is_problem(page: Page, status: int) -> str:
    """Asserts that it is. Returns the one sentence."""
    assert (page.status, page.headers["content-type"]) == (status, "application/problem+json")
    assert set(page.json) == {"type", "title", "status", "detail"}
    assert (page.json["status"], page.json["type"]) == (status, "about:blank")
    detail: str = page.json["detail"]
    assert detail.isprintable()
    return detail


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "given",
    ["", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xe4"],
)
def test_without_the_token_there_is_nothing(with_token: Group, path: str, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    page = with_token.workers[0].get(path, **headers)
    assert TOKEN not in is_problem(page, 401)
    assert page.headers["www-authenticate"] == "Bearer"


def test_with_the_token_any_worker_answers_for_all(with_token: Group) -> None:
    assert len({partition_of(seller) // 2 for seller in SELLERS}) == 2
    for worker in with_token.workers:
        for scheme in ("Bearer", "bearer"):
            for seller in SELLERS:
                assert worker.get(f"/api/v1/sellers/{seller}", Authorization=f"{scheme} {TOKEN}").status == 200
        page = worker.get("/api/v1/scopes?scope=seller", Authorization=f"Bearer {TOKEN}")
        assert [scope["seller_id"] for scope in page.json["scopes"]] == sorted(SELLERS)


def test_the_token_is_compared_in_constant_time(with_token: Group) -> None:
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
        with_token.workers[0].get("/api/v1/scopes", Authorization="Bearer wrong")
    compare.assert_called_once_with(b"wrong", TOKEN.encode())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_and_prometheus_need_none(with_token: Group, path: str) -> None:
    page = with_token.workers[0].get(path)
    assert page.status == (503 if path == "/readyz" else 200)
    assert TOKEN.encode() not in page.body


@pytest.mark.parametrize("path", ["/", "/table", "/router", "/api", "/graph"])
def test_there_is_no_page_of_fausts_own(with_token: Group, path: str) -> None:
    assert with_token.workers[0].get(path, Authorization=f"Bearer {TOKEN}").status == 404


# --- Without a token -------------------------------------------------------------------------------------------------


def test_elsewhere_than_on_loopback_it_is_off_without_a_token() -> None:
    with Group(4, web_host="0.0.0.0") as group:  # noqa: S104 - that is the question
        (worker,) = group.workers
        refusal = worker.app.api.access.refusal
        assert refusal is not None
        assert "api_token (VTR_API_TOKEN)" in refusal
        for path in PATHS:
            assert is_problem(worker.get(path), 403) == refusal
        assert worker.get("/livez").status == worker.get("/metrics").status == 200
        assert worker.settings.own_web_url not in ("", f"http://0.0.0.0:{worker.settings.web_port}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_on_loopback_none_is_needed(host: str) -> None:
    assert Access(Settings(web_host=host)).refusal is None


def test_a_name_that_leads_to_loopback_is_not_enough() -> None:
    """A web page in somebody's browser could have it lead there."""
    with Group(4) as group:
        (worker,) = group.workers
        for host in ("localhost", "localhost:6066", "127.0.0.1", "[::1]:80"):
            assert worker.get("/api/v1/scopes", Host=host).status == 200
        for host in ("evil.example", "evil.example:6066", "127.0.0.1.evil.example", "[", ""):
            assert "loopback" in is_problem(worker.get("/api/v1/scopes", Host=host), 403)


# --- The setting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "short", "a token with some blanks", "ä" * 20, "x" * 513, f"{TOKEN}\n"])
def test_a_token_that_is_none_is_named_and_not_shown(token: str) -> None:
    with pytest.raises(SettingsError, match="`api_token`") as caught:
        load_settings(environ={"VTR_API_TOKEN": token})
    assert str(caught.value).startswith("environment: ")
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "http://127.0.0.1:6066"),
        ({"web_host": "::1"}, "http://[::1]:6066"),
        ({"web_host": "10.0.0.7", "web_port": "80"}, "http://10.0.0.7:80"),
        ({"web_host": "0.0.0.0", "web_url": "http://worker-1:6066/"}, "http://worker-1:6066"),  # noqa: S104
        ({"web_url": "https://[fe80::1]"}, "https://[fe80::1]"),
    ],
)
def test_where_others_reach_a_worker(given: dict[str, str], expected: str) -> None:
    assert load_settings(given, environ={}).own_web_url == expected


@pytest.mark.parametrize(
    "url", ["", "worker-1", "worker-1:6066", "ftp://a", "http://", "http://a:x", "http://a/b", "http://u:p@a"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match=r"Expected http://host:port.*`web_url`"):
        load_settings({"web_url": url}, environ={})
