"""Server-sent events as LoRAX frames them: data lines only, comments as keep-alives, errors with status 200."""

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, Final, Protocol

import orjson

from boardroom.simulator.entry import Entry
from boardroom.simulator.errors import LoraxError
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import Exchange, Headers
from boardroom.simulator.router.generation import Call, adapter_of, call_headers, stream

KEEP_ALIVE: Final = b":\n\n"
DONE: Final = b"data: [DONE]\n\n"


class EventShape(Protocol):
    """Formats the token at an index as a route's event; the last one ends the answer."""

    def __call__(self, entry: Entry, index: int, *, last: bool) -> dict[str, Any]: ...


async def send_stream(engine: Engine, exchange: Exchange, call: Call, event: EventShape, end: bytes) -> None:
    """Stream an answer; tokens of the same step are sent together."""
    await exchange.start_events(_headers(engine, call))
    adapter_ids = (adapter_of(call.parameters),)
    drop = engine.faults.trigger("drop", adapter_ids)
    slow = engine.faults.trigger("slow-stream", adapter_ids)
    remaining = drop.after if drop is not None else None
    try:
        async with aclosing(stream(engine, exchange, call)) as news:
            async for item in news:
                if item is None:
                    await exchange.send_events(KEEP_ALIVE)
                    continue
                entry, new = item
                total = len(entry.answer.tokens) if entry.answer is not None else 0
                indexes = range(entry.emitted - new, entry.emitted)
                frames = [frame(event(entry, index, last=index == total - 1)) for index in indexes]
                if remaining is not None:
                    frames, remaining = frames[:remaining], remaining - len(frames)
                if slow is None:
                    await exchange.send_events(b"".join(frames))
                else:
                    await _send_in_halves(engine, exchange, frames, slow.pause)
                if remaining is not None and remaining <= 0:
                    return
            if end:
                await exchange.send_events(end)
    except LoraxError as error:
        await exchange.send_events(frame({"error": error.message, "error_type": error.error_type}))
    await exchange.end_events()


async def _send_in_halves(engine: Engine, exchange: Exchange, frames: Iterable[bytes], seconds: float) -> None:
    """Send each event in two halves, with a pause between them."""
    for whole in frames:
        middle = len(whole) // 2
        await exchange.send_events(whole[:middle])
        await engine.clock.sleep(seconds)
        await exchange.send_events(whole[middle:])


def frame(document: dict[str, Any]) -> bytes:
    """Return one event."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _headers(engine: Engine, call: Call) -> Headers:
    yield b"x-compute-type", b"gpu+optimized"
    yield b"x-compute-characters", str(len(call.prompt.text)).encode()
    yield b"x-accel-buffering", b"no"
    yield from call_headers(engine, call)
