"""A generation by an engine, up to the first stop sequence, whole or streamed."""

from contextlib import aclosing
from typing import Final

from boardroom.coordinator.listener import MemberStream
from boardroom.engine.errors import BadResponse, EngineError
from boardroom.engine.protocol import Generation, GenerationRequest, Inference, StreamTimeouts
from boardroom.engine.stop_sequences import StopCut, cut

GRACE_SECONDS: Final = 1.0
"""Beyond the deadline, so that the coordinator's own time-out ends a question before the engine's."""


async def generate(
    engine: Inference, request: GenerationRequest, seconds: float, stream: MemberStream | None
) -> Generation:
    """The answer to a request. `stream`, if there is one, gets the text piece by piece. Raises EngineError."""
    if stream is None:
        return cut(await engine.generate(request, seconds), request.stop)
    return await stream_generation(engine, request, seconds, stream)


async def stream_generation(
    engine: Inference, request: GenerationRequest, seconds: float, stream: MemberStream
) -> Generation:
    """The whole answer up to its first stop sequence, which `stream` gets piece by piece as it comes. Raises
    EngineError.
    """
    stops = StopCut(request.stop)
    try:
        async with aclosing(engine.stream(request, StreamTimeouts(whole=seconds))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Generation):
                    stream.text(stops.end())
                    return cut(piece, request.stop)
                stream.text(stops.feed(piece))
    except EngineError as error:
        stream.failed(str(error))
        raise
    raise BadResponse("the stream ended without an answer")
