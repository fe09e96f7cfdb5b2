"""Debian's Chromium without a window, driven by its DevTools protocol."""

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp

PROGRAM: Final = shutil.which("chromium")
_FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--remote-debugging-address=127.0.0.1",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--mute-audio",
)
_START_SECONDS: Final = 60


class Tab:
    """One page of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._events: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command of the DevTools protocol."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while (message := await self._socket.receive_json()).get("id") != number:
            self._events.append(message["method"])
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return dict(message["result"])

    async def open(self, url: str) -> None:
        """Goes to a page, until it and its pictures are loaded."""
        self._events.clear()
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            self._events.append((await self._socket.receive_json()).get("method", ""))

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON has it."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """The first value of a JavaScript expression that is neither null nor false."""
        looked = f"const value = {expression}; if (value) {{ clearInterval(timer); found(value); }}"
        return await self.evaluate(f"new Promise(found => {{ const timer = setInterval(() => {{ {looked} }}, 50); }})")


@contextlib.asynccontextmanager
async def tab(*, width: int, height: int) -> AsyncIterator[Tab]:
    """An empty tab as wide and high as a phone or a window, in CSS pixels."""
    if PROGRAM is None:
        raise RuntimeError("no chromium on PATH: `make chromium` installs Debian's")
    with tempfile.TemporaryDirectory(prefix="boardroom-browser-", ignore_cleanup_errors=True) as profile:
        sandbox = ("--no-sandbox",) if os.getuid() == 0 else ()
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *_FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await asyncio.to_thread(_port, Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as response:
                    url = (await response.json())["webSocketDebuggerUrl"]
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    page = Tab(socket)
                    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
                    await page.call("Emulation.setDeviceMetricsOverride", **screen)
                    yield page
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _port(file: Path) -> int:
    """The port that the browser took: it writes the file once it listens."""
    deadline = time.monotonic() + _START_SECONDS
    while not file.is_file() or not (text := file.read_text(encoding="ascii")).strip():
        if time.monotonic() > deadline:
            raise RuntimeError(f"chromium has not begun to listen after {_START_SECONDS} s")
        time.sleep(0.05)
    return int(text.split()[0])
