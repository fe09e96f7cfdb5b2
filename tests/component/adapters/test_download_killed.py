"""A sidecar that is killed in the middle of a download: no half adapter is ever seen, and the next one goes on."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from boardroom.adapters import read
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.api.adapter import HuggingFaceSource
from boardroom.cli.processes import free_port
from component.adapters.hub_server import REPO, Hub
from component.coordinator.standing_board import served, until

SHAPE = Shape(layers=96, hidden=512)
STALL_AFTER = 2 << 20


@contextlib.contextmanager
def sidecar(root: Path, store: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    program = Path(sys.executable).parent / "boardroom"
    command = [str(program), "adapters", "serve", "--root", str(root), "--store", str(store), "--port", str(port)]
    with subprocess.Popen(command) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def told(url: str, hub: str) -> None:
    """The sidecar is told what is wanted, as soon as it listens."""
    source = HuggingFaceSource(repo=REPO, endpoint=hub).to_object()
    deadline = time.monotonic() + 60
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                body = {"sources": [{"huggingFace": source}], "keep": [], "maxBytes": 1 << 30}
                assert (await client.put("/v1/sources", json=body)).status_code == 204
                return
            assert time.monotonic() < deadline, "the sidecar does not listen"
            await asyncio.sleep(0.05)


async def listing(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        found: dict[str, Any] = (await client.get("/v1/adapters")).raise_for_status().json()
        return found


async def test_a_sidecar_killed_in_a_download_resumes_it_and_shows_no_partial_adapter(tmp_path: Path) -> None:
    make_one(tmp_path / "ceo", "CEO", SHAPE)
    for name in ("root", "store"):
        (tmp_path / name).mkdir()
    hub = Hub.of(tmp_path / "ceo", stall_after=STALL_AFTER)
    root, store = tmp_path / "root", tmp_path / "store"

    def begun() -> list[Path]:
        return [path for path in store.rglob("adapter_model.safetensors.partial") if path.stat().st_size > 0]

    async with served(hub.app) as url:
        with sidecar(root, store) as (process, address):
            await told(address, url)
            (partial,) = await until(begun)
            half = await listing(address)
            process.kill()
            process.wait()
        have = partial.stat().st_size
        hub.going.set()
        with sidecar(root, store) as (_, address):
            before = await _when(address, lambda _: True)
            await told(address, url)
            after = await _when(address, lambda found: bool(found["stored"]))
    assert (half["stored"], half["adapters"], before["stored"]) == ([], [], [])
    assert 0 < have < (tmp_path / "ceo" / "adapter_model.safetensors").stat().st_size
    (stored,) = after["stored"]
    assert stored["digest"] == read(tmp_path / "ceo").digest
    assert stored["problem"] is None
    assert hub.ranges()[-1] == f"bytes={have}-"


async def _when(url: str, good: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    deadline = time.monotonic() + 60
    while not found or not good(found):
        assert time.monotonic() < deadline, found
        with contextlib.suppress(httpx.TransportError):
            found = await listing(url)
        await asyncio.sleep(0.1)
    return found
