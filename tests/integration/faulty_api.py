"""A proxy before the API server that fails as API servers and networks do. It speaks plain HTTP and is the operator
to the server behind it, so that what is said can be seen and changed.
"""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import yaml
from aiohttp import web

_HOP: Final = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-encoding"}
EXPIRED: Final = {
    "type": "ERROR",
    "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410},
}


@dataclass(frozen=True)
class Refusal:
    """What is answered instead of a request: to those of a method whose path contains `part`."""

    status: int
    method: str = ""
    part: str = ""
    retry_after: str = ""

    def meets(self, request: web.Request) -> bool:
        return self.method in ("", request.method) and self.part in request.path

    def answer(self) -> web.Response:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        body = {"kind": "Status", "apiVersion": "v1", "code": self.status, "message": "by order of the test"}
        return web.json_response(body, status=self.status, headers=headers)


@dataclass
class FaultyApi:
    """The proxy, in a thread of its own."""

    server: str
    trust: ssl.SSLContext
    kubeconfig: Path
    refusals: list[Refusal] = field(default_factory=list)
    """Each is used up by the first request that it meets."""
    expiries: list[str] = field(default_factory=list)
    """Each is used up by the first watch that begins and has it in its path: where it left off is too old."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    frozen: bool = False
    """Watches stay open and say nothing, those that begin now too."""
    _port: int = 0
    _watches: set[web.StreamResponse] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._open)
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()
        self._do(self._session.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def go_away(self) -> None:
        """Take no connections any more, and break those that are."""
        self._do(self._runner.cleanup)

    def come_back(self) -> None:
        self._do(self._listen)

    def expire(self) -> None:
        """Tell every watch that its resource version is too old."""
        self._do(self._expire)

    def requests(self, method: str, part: str) -> int:
        return sum(method == m and part in path for m, path in self.seen)

    def _do(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(30)

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.trust, limit=0))

    async def _listen(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self._port}"}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        users = {"users": [{"name": "u", "user": {}}], "current-context": "x"}
        self.kubeconfig.write_text(yaml.safe_dump(config | users))

    async def _expire(self) -> None:
        for watch in list(self._watches):
            await watch.write(json.dumps(EXPIRED).encode() + b"\n")

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path))
        for refusal in self.refusals:
            if refusal.meets(request):
                self.refusals.remove(refusal)
                return refusal.answer()
        if "watch" in request.query and (part := next((p for p in self.expiries if p in request.path), None)):
            self.expiries.remove(part)
            return web.Response(body=json.dumps(EXPIRED).encode() + b"\n", content_type="application/json")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        url, body = self.server + request.path_qs, await request.read() or None
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.request(request.method, url, headers=headers, data=body, timeout=timeout) as found:
            if "watch" not in request.query:
                kind = found.headers.get("Content-Type", "application/json")
                return web.Response(status=found.status, body=await found.read(), headers={"Content-Type": kind})
            return await self._watch(request, found)

    async def _watch(self, request: web.Request, found: aiohttp.ClientResponse) -> web.StreamResponse:
        answer = web.StreamResponse(status=found.status, headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        self._watches.add(answer)
        try:
            async for line in found.content:
                while self.frozen:  # noqa: ASYNC110 (another thread sets it)
                    await asyncio.sleep(0.1)
                await answer.write(line)
        finally:
            self._watches.discard(answer)
        return answer


def before(kubeconfig: Path, written: Path) -> FaultyApi:
    """A proxy before the API server of a kubeconfig, under the identity there; its own kubeconfig is `written`."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    pair = written.with_suffix(".pem")
    pair.write_bytes(
        base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"])
    )
    trust.load_cert_chain(pair)
    return FaultyApi(server=cluster["server"], trust=trust, kubeconfig=written)
