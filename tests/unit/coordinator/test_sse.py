"""Events on their way to one client."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from boardroom.coordinator.http import sse
from boardroom.coordinator.http.sse import EventBuffer, EventResponse


async def test_what_has_come_goes_out_together_and_the_end_is_empty() -> None:
    buffer = EventBuffer()
    buffer.put(b"a")
    buffer.put(b"b")
    together = await buffer.take()
    buffer.close()
    assert (together, await buffer.take()) == (b"ab", b"")


async def test_silence_has_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.01)
    assert await EventBuffer().take() == b":\n\n"


async def test_a_client_that_is_too_slow_is_told_once_and_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_WAITING_BYTES", 3)
    overflows: list[bool] = []
    buffer = EventBuffer()
    buffer.on_overflow = lambda: overflows.append(True)
    for _ in range(3):
        buffer.put(b"ab")
    assert (buffer.is_overflowed, overflows) == (True, [True])


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_became_of_the_client_is_told_at_the_end(leaves: bool) -> None:
    sent: list[bytes] = []
    wholes: list[bool] = []
    buffer = EventBuffer()
    buffer.put(b"event")

    async def receive() -> dict[str, str]:
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("body", b""))
        if sent == [b"", b"event"]:
            buffer.close()
        await asyncio.sleep(0)

    async def after(whole: bool) -> None:
        wholes.append(whole)

    await EventResponse(buffer, after, {})({"type": "http"}, receive, send)
    assert wholes == [not leaves]
