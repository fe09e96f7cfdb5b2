"""What Kopf's session reports of the API server's responses, and what it keeps from Kopf."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from boardroom.controller.serving.probes import serve
from boardroom.controller.watch.kopf_session import login
from boardroom.kube.kinds import BOARDROOM


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
    found = await login(Configuration(host=root), heard.append, {BOARDROOM.path()})
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
