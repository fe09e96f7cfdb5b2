"""One generation: whole or streamed, it ends at the first stop sequence."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from boardroom.coordinator.backends.generation import generate
from boardroom.coordinator.listener import MemberStream
from boardroom.engine.errors import BadResponse, ConnectionLost
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from unit.coordinator.listeners import Recorder

REQUEST = GenerationRequest(request_id="r", system="", prompt="p", adapter_id=None, max_new_tokens=9, stop=("END",))
WHOLE = Generation(text="one twoEND three", finish_reason="length", prompt_tokens=1, completion_tokens=3)


class Engine:
    """Gives these pieces in turn; an exception among them is raised."""

    url = "test://engine"

    def __init__(self, *pieces: str | Generation | Exception) -> None:
        self._pieces = pieces

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        return schema

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        return WHOLE

    async def stream(self, request: GenerationRequest, timeouts: StreamTimeouts) -> AsyncGenerator[str | Generation]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_whole_answer_ends_at_its_stop_sequence() -> None:
    assert (await generate(Engine(), REQUEST, 1.0, None)).text == "one two"


async def test_a_stream_passes_on_no_more_than_the_answer_has() -> None:
    listener = Recorder()
    answer = await generate(Engine("one tw", "oEN", "D three", WHOLE), REQUEST, 1.0, MemberStream(listener, "ceo"))
    assert answer.text == "".join(text for _, _, text in listener.events) == "one two"


async def test_a_stream_that_breaks_tells_its_listener_and_raises() -> None:
    listener = Recorder()
    with pytest.raises(ConnectionLost):
        await generate(Engine("one ", ConnectionLost("gone")), REQUEST, 1.0, MemberStream(listener, "ceo"))
    assert listener.events[-1] == ("restarted", "ceo", "gone")


async def test_a_stream_without_an_answer_at_its_end_is_a_bad_response() -> None:
    with pytest.raises(BadResponse, match="ended without an answer"):
        await generate(Engine("one "), REQUEST, 1.0, MemberStream(Recorder(), "ceo"))
