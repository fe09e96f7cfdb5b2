"""A client that leaves in the middle of its request: one line, and what had arrived before stays."""

import asyncio
import logging
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from boardroom.adapters import receiver as loader
from boardroom.adapters import server
from boardroom.adapters.fetcher import Fetcher
from boardroom.adapters.store import Store
from boardroom.adapters.uploads import UploadStore
from component.coordinator.standing_board import served, until

DIGEST = f"sha256:{'0' * 64}"
FILE = f"/v1/incoming/{DIGEST}/adapter_model.safetensors"


async def leave(url: str, path: str) -> None:
    """Begin a PUT of 1,000 bytes, and disconnect after a few."""
    where = urlsplit(url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"PUT {path} HTTP/1.1\r\nhost: sidecar\r\ncontent-length: 1000\r\n\r\n".encode() + b"{" * 10)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("path", ["/v1/sources", FILE])
async def test_who_leaves_in_the_middle_is_one_line_of_the_log(
    path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar = server.application(tmp_path, Fetcher(Store(tmp_path / "store", limit=1000)))
    app = sidecar if path == "/v1/sources" else loading(tmp_path)
    async with served(app) as url:
        await leave(url, path)
        await until(lambda: caplog.records)
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/healthz")).status_code == 200
    said = [(record.levelno, record.getMessage(), record.exc_info) for record in caplog.records]
    assert said == [(logging.WARNING, "a client disconnected before its request was complete", None)]
    assert vars(caplog.records[0])["path"] == path


async def test_files_that_had_arrived_whole_are_not_sent_again(tmp_path: Path) -> None:
    async with served(loading(tmp_path)) as url, httpx.AsyncClient(base_url=url) as http:
        await http.put(f"/v1/incoming/{DIGEST}/adapter_config.json", content=b"{}")
        await leave(url, FILE)
        await until(lambda: not list(tmp_path.glob(".boardroom-incoming/*/.adapter_model*")))
        looked = await http.get(f"/v1/incoming/{DIGEST}", params={"name": "ceo"})
    assert looked.json() == {"there": False, "files": {"adapter_config.json": 2}}


def loading(root: Path) -> Starlette:
    return loader.application(loader.Receiver(UploadStore(root, limit=10_000), idle_seconds=60))
