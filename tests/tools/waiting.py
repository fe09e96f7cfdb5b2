"""Waiting for what comes when it comes."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], timeout: float = 90.0) -> T:
    """What `look` returns once it is truthy; `what` names it when the time (seconds) is up."""
    started = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        waited = time.monotonic() - started
        assert waited < timeout, f"not within {timeout:.0f} s: {what}"
        time.sleep(min(0.1 + waited / 20, 0.5))  # what takes long is looked at seldom: a look may be a kubectl


async def eventually(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `look` returns once it is truthy, in the test's own loop."""
    async with asyncio.timeout(seconds):
        while not (result := look()):  # noqa: ASYNC110 (what it waits for is in other processes and tasks)
            await asyncio.sleep(0.01)
    return result
