"""Browsers' pages of other origins: those of the spec may ask and read, and nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from boardroom.coordinator.auth.keys import ApiKeys
from boardroom.coordinator.http.server import serving
from boardroom.coordinator.main import Options, standalone
from component.coordinator.standing_board import Board, agent

PAGE, RETRY_ELSEWHERE = "https://app.example.com", "https://evil.example.com"
KEY = "a-key-0123456789"
OPENAI = "authorization, content-type, x-stainless-lang, x-stainless-retry-count"


@pytest.fixture
async def asked(board: Board, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """A board that wants a key and lets in pages of these origins."""
    file = tmp_path / "keys"
    file.write_text(KEY)
    board.write(agent("CEO"))
    origins = getattr(request, "param", [PAGE, "http://localhost:3000"])
    async with (
        serving(
            standalone(Options(file=board.file), board.file), authenticator=ApiKeys(file), origins=origins
        ) as addresses,
        httpx.AsyncClient(base_url=addresses.api, trust_env=False) as client,
    ):
        yield client


async def preflight(
    client: httpx.AsyncClient, origin: str, method: str = "POST", headers: str = "authorization, content-type"
) -> httpx.Response:
    wanted = {"access-control-request-method": method, "access-control-request-headers": headers}
    return await client.options("/v1/ask", headers={"origin": origin} | wanted)


@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", "content-type"), ("GET", "authorization"), ("DELETE", "x-request-id, traceparent"), ("POST", OPENAI)],
)
async def test_a_preflight_needs_no_token(asked: httpx.AsyncClient, method: str, headers: str) -> None:
    found = await preflight(asked, PAGE, method, headers)
    assert (found.status_code, found.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "access-control-allow-credentials" not in found.headers


@pytest.mark.parametrize(
    ("origin", "method", "headers", "why"),
    [
        (RETRY_ELSEWHERE, "POST", "content-type", "origin"),
        ("null", "POST", "content-type", "origin"),
        ("https://app.example.com.evil.com", "POST", "content-type", "origin"),
        ("http://app.example.com", "POST", "content-type", "origin"),
        (PAGE, "PUT", "content-type", "method"),
        (PAGE, "POST", "x-anything", "headers"),
    ],
)
async def test_a_preflight_of_anybody_or_anything_else_is_refused(
    asked: httpx.AsyncClient, origin: str, method: str, headers: str, why: str
) -> None:
    found = await preflight(asked, origin, method, headers)
    assert (found.status_code, found.text) == (400, f"Disallowed CORS {why}")
    assert ("access-control-allow-origin" in found.headers) is (origin == PAGE)


@pytest.mark.parametrize(("key", "status"), [(KEY, 200), ("another", 401)], ids=["known", "unknown"])
async def test_a_page_reads_answers_and_errors_and_the_headers_it_needs(
    asked: httpx.AsyncClient, key: str, status: int
) -> None:
    found = await asked.get("/v1/agents", headers={"origin": PAGE, "authorization": f"Bearer {key}"})
    assert (found.status_code, found.headers["access-control-allow-origin"]) == (status, PAGE)
    assert found.headers["access-control-expose-headers"] == "retry-after, www-authenticate, x-request-id"
    assert found.headers["vary"] == "Origin"
    missing = await asked.get("/v1/nothing", headers={"origin": PAGE})
    assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, PAGE)


async def test_what_another_page_is_answered_its_browser_keeps_from_it(asked: httpx.AsyncClient) -> None:
    found = await asked.get("/v1/agents", headers={"origin": RETRY_ELSEWHERE, "authorization": f"Bearer {KEY}"})
    assert (found.status_code, "access-control-allow-origin" in found.headers) == (200, False)


@pytest.mark.parametrize("asked", [[]], indirect=True)
async def test_no_page_is_let_in_where_none_is_named(asked: httpx.AsyncClient) -> None:
    found = await preflight(asked, PAGE)
    answer = await asked.get("/v1/agents", headers={"origin": PAGE, "authorization": f"Bearer {KEY}"})
    assert (found.status_code, found.json()["error"]["code"]) == (405, "method_not_allowed")
    assert not [name for name in (*found.headers, *answer.headers) if name.startswith("access-control")]
