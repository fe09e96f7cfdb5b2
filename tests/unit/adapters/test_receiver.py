"""The loader's patience: silence ends it, work of its own does not."""

import asyncio
import threading
from pathlib import Path

import httpx
import pytest

from boardroom.adapters.receiver import Receiver, application
from boardroom.adapters.uploads import Upload, UploadStore

DIGEST = f"sha256:{'0' * 64}"


async def test_a_file_that_takes_long_to_reach_the_volume_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = threading.Event()
    finish = Upload.finish

    def slow(upload: Upload) -> None:
        written.wait()
        finish(upload)

    monkeypatch.setattr(Upload, "finish", slow)
    loader = Receiver(UploadStore(tmp_path, limit=1000), idle_seconds=0.1)
    transport = httpx.ASGITransport(application(loader))
    async with httpx.AsyncClient(transport=transport, base_url="http://loader") as http:
        put = asyncio.create_task(http.put(f"/v1/incoming/{DIGEST}/adapter_config.json", content=b"{}"))
        silence = asyncio.create_task(loader.wait_until_idle())
        ended, _ = await asyncio.wait([silence], timeout=1.5)
        written.set()
        assert ended == set()
        assert (await put).status_code == 204
        await silence
