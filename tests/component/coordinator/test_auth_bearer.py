"""Both doors ask who it is before they read a body; the probes' port asks nobody."""

from pathlib import Path

import httpx
import pytest

from boardroom.coordinator.auth.keys import ApiKeys
from boardroom.coordinator.http.server import serving
from boardroom.coordinator.main import Options, standalone
from component.coordinator.standing_board import Board, agent

KEY = "a-key-0123456789"
ROUTES = [
    ("POST", "/v1/ask"),
    ("GET", "/v1/agents"),
    ("GET", "/v1/health"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/executive"),
    ("POST", "/v1/chat/completions"),
]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(KEY)
    return file


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_wants_a_token(board: Board, keys: Path, method: str, path: str) -> None:
    board.write(agent("CEO"))
    coordinator = standalone(Options(file=board.file), board.file)
    async with (
        serving(coordinator, authenticator=ApiKeys(keys)) as addresses,
        httpx.AsyncClient(base_url=addresses.api, trust_env=False) as client,
    ):
        response = await client.request(method, path)  # no body, no content type: they are not looked at
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="boardroom"'
        error = response.json()["error"]
        assert error["code"] == "unauthenticated"
        assert ("param" in error) == (path.startswith(("/v1/models", "/v1/chat")))
        known = await client.request(method, path, headers={"authorization": f"Bearer {KEY}"})
        assert known.status_code not in {401, 403}


async def test_probes_ask_nobody_and_say_when_nobody_can_be_let_in(board: Board, tmp_path: Path) -> None:
    board.write(agent("CEO"))
    coordinator = standalone(Options(file=board.file), board.file)
    async with (
        serving(coordinator, authenticator=ApiKeys(tmp_path / "absent")) as addresses,
        httpx.AsyncClient(base_url=addresses.metrics, trust_env=False) as client,
    ):
        assert [(await client.get(path)).status_code for path in ("/healthz", "/metrics", "/readyz")] == [200, 200, 503]
        assert "absent can't be read" in (await client.get("/readyz")).text
