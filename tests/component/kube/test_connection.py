"""The proxy that a connection takes from its environment, and what Kopf is told of the API server's answers."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from boardroom.controller.serving.probes import serve
from boardroom.kube.connection import Connection
from boardroom.kube.kinds import BOARDROOM

SERVER = "https://api.example:6443"


def proxy(server: str, *, given: str | None = None) -> str | None:
    configuration = Configuration(host=server)
    configuration.proxy = given
    found: str | None = Connection(configuration).configuration.proxy
    return found


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "10.96.0.1,.svc")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (SERVER, "http://proxy:3128"),
        ("https://10.96.0.1:443", None),
        ("https://kubernetes.default.svc", None),
        ("http://127.0.0.1:8001", None),
    ],
)
def test_the_environments_proxy_is_used_where_it_does_not_except_the_server(server: str, expected: str | None) -> None:
    assert proxy(server) == expected


def test_the_kubeconfigs_own_proxy_comes_first() -> None:
    assert proxy(SERVER, given="http://other:1") == "http://other:1"


class Kopfs:
    """The session that Kopf gets, to a server that answers with the status that it is asked for."""

    def __init__(self, session: aiohttp.ClientSession, root: str, heard: list[str]) -> None:
        self.session = session
        self.root = root
        self.heard = heard

    async def get(self, path: str, status: int = 200) -> int:
        headers = {"Connection": "close", "X-Status": str(status)}
        async with self.session.get(self.root + path, headers=headers) as response:
            return response.status


@pytest.fixture
async def kopfs() -> AsyncIterator[Kopfs]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"items": []}, status=int(request.headers.get("X-Status", "200")))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner, port = await serve(app, "127.0.0.1", 0)
    heard: list[str] = []
    root = f"http://127.0.0.1:{port}/clusters/one"
    found = await Connection(Configuration(host=root)).login(heard.append, {BOARDROOM.path()})
    async with found.aiohttp_session as session:
        yield Kopfs(session, root, heard)
    await runner.cleanup()


async def test_kopfs_lists_are_heard_of_and_nothing_else(kopfs: Kopfs) -> None:
    for path in ("/api/v1/pods?limit=2", "/api/v1/pods?continue=x", "/api/v1/services?watch=true"):
        await kopfs.get(path)
    await kopfs.get("/api/v1/secrets", 500)
    assert kopfs.heard == ["/api/v1/pods"]


@pytest.mark.parametrize("query", ["", "?watch=true"])
@pytest.mark.parametrize("status", [403, 404, 410, 500, 503])
async def test_a_refused_watch_looks_to_kopf_like_a_server_that_is_away(kopfs: Kopfs, status: int, query: str) -> None:
    with pytest.raises(aiohttp.ClientConnectionError, match=f"HTTP {status}"):
        await kopfs.get(BOARDROOM.path() + query, status)


@pytest.mark.parametrize("status", [401, 429])
async def test_kopf_itself_logs_in_again_and_waits(kopfs: Kopfs, status: int) -> None:
    assert await kopfs.get(BOARDROOM.path(), status) == status


async def test_a_kind_that_is_gone_is_heard_of(kopfs: Kopfs) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await kopfs.get(BOARDROOM.path() + "?watch=true", 404)
    assert kopfs.heard == [BOARDROOM.path()]


async def test_what_is_not_watched_is_kopfs_own(kopfs: Kopfs) -> None:
    assert await kopfs.get("/apis/none.dev", 404) == 404
