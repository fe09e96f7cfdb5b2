"""A client of the API server that writes thousands of objects, and notes when others appear."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import aiohttp
import orjson

from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity

Object = dict[str, Any]
Key = tuple[str, str]
_AT_ONCE = 32
_MANAGER = {"fieldManager": "bench"}


class ApiServer:
    """Use as an async context manager."""

    def __init__(self, control_plane: ControlPlane) -> None:
        pair = control_plane.issue(Identity(name="bench", common_name="bench", organization="system:masters"))
        trust = ssl.create_default_context(cafile=str(control_plane.directory / "pki" / "ca.crt"))
        trust.load_cert_chain(pair.certificate, pair.key)
        self._http = aiohttp.ClientSession(
            control_plane.server,
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            json_serialize=lambda obj: orjson.dumps(obj).decode(),
            raise_for_status=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def create(self, path: str, obj: Object) -> None:
        """Create one object in a collection."""
        async with self._http.post(path, json=obj, params=_MANAGER):
            pass

    async def create_all(self, objects: Iterable[tuple[str, Object]]) -> None:
        """Create many, each in its collection, a bounded number at once."""
        waiting = iter(objects)

        async def some() -> None:
            for path, obj in waiting:
                await self.create(path, obj)

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))

    async def apply(self, path: str, obj: Object) -> None:
        """Server-side apply."""
        headers = {"content-type": "application/apply-patch+yaml"}
        async with self._http.patch(path, data=orjson.dumps(obj), headers=headers, params=_MANAGER):
            pass

    async def merge(self, path: str, patch: Object) -> Object:
        """Merge patch; returns the object as it is then."""
        headers = {"content-type": "application/merge-patch+json"}
        async with self._http.patch(path, data=orjson.dumps(patch), headers=headers, params=_MANAGER) as answer:
            found: Object = orjson.loads(await answer.read())
            return found

    async def answers(self, path: str) -> bool:
        """Whether a GET of this path is answered with success."""
        try:
            async with self._http.get(path):
                return True
        except aiohttp.ClientError:
            return False

    @asynccontextmanager
    async def watching(self, path: str, label: str = "") -> AsyncIterator["Watch"]:
        """Everything in a collection, from now on; a watch that the API server ends is begun anew where it ended."""
        watch = Watch()
        task = asyncio.create_task(self._watch(path, label, watch))
        task.add_done_callback(watch.end)
        try:
            yield watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self, path: str, label: str, watch: "Watch") -> None:
        version = ""
        while True:
            # A slow reader's watch is ended by the API server, and one may be refused: on a busy machine we see both.
            with suppress(aiohttp.ClientError):
                version = version or await self._list(path, label, watch)
                params = {"watch": "1", "labelSelector": label, "resourceVersion": version, "timeoutSeconds": "7200"}
                async with self._http.get(path, params=params, read_bufsize=2**20) as stream:
                    async for line in _lines(stream):
                        event = orjson.loads(line)
                        watch.take(event)
                        version = event["object"]["metadata"].get("resourceVersion", "")  # an ERROR has none
            await asyncio.sleep(0.1)

    async def _list(self, path: str, label: str, watch: "Watch") -> str:
        async with self._http.get(path, params={"labelSelector": label}) as answer:
            found = orjson.loads(await answer.read())
        for obj in found["items"]:
            watch.take({"type": "ADDED", "object": obj})
        version: str = found["metadata"]["resourceVersion"]
        return version


async def _lines(stream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in stream.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


class Watch:
    """The newest version of each object, and the moment (of the event loop's clock) at which it was first seen."""

    def __init__(self) -> None:
        self.first: dict[Key, float] = {}
        self.objects: dict[Key, Object] = {}
        self._moved = asyncio.Event()
        self._ended = False

    def end(self, _: object) -> None:
        """Nothing will come any more."""
        self._ended = True
        self._moved.set()

    def take(self, event: Object) -> None:
        """One event."""
        if event["type"] not in ("ADDED", "MODIFIED"):
            return
        obj = event["object"]
        key = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        self.first.setdefault(key, asyncio.get_running_loop().time())
        self.objects[key] = obj
        self._moved.set()

    async def until(self, holds: Callable[[], bool], what: str, seconds: float) -> float:
        """The moment at which `holds` was first seen to hold; raises TimeoutError and RuntimeError that name `what`."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    if self._ended:
                        raise RuntimeError(f"the watch broke before {what}")
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}") from None
        return asyncio.get_running_loop().time()
