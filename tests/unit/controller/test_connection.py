"""What of the environment a connection takes: a proxy, looked up once."""

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from boardroom.controller.connection import Connection
from boardroom.controller.probes import serve

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


async def test_kopfs_lists_are_heard_of_and_nothing_else() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"items": []}, status=500 if "broken" in request.path else 200)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner, port = await serve(app, "127.0.0.1", 0)
    heard: list[str] = []
    root = f"http://127.0.0.1:{port}/clusters/one"
    kopfs = await Connection(Configuration(host=root)).login(heard.append)
    async with kopfs.aiohttp_session as session:
        for path in ("/api/v1/pods?limit=2", "/api/v1/pods?continue=x", "/api/v1/services?watch=true", "/broken"):
            async with session.get(root + path, headers={"Connection": "close"}):
                pass
    await runner.cleanup()
    assert heard == ["/api/v1/pods"]
