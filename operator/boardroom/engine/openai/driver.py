"""Standard inference: any server with OpenAI's chat route, as the second engine of a board."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import msgspec

from boardroom.engine.chat import decode_chat, drain, encode_json, take_events
from boardroom.engine.classify import clean
from boardroom.engine.errors import BadResponse, EngineTimeout
from boardroom.engine.openai.supported import Attempt, SupportedParameters
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.engine.refusal import Refusal, RefusedError, read_refusal, refusal_within
from boardroom.engine.schema_limits import bounded
from boardroom.engine.sse import EventReader
from boardroom.engine.streaming import OpenAIChatAssembly
from boardroom.engine.transport import HttpTransport, Transport

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_STREAM_BYTES: Final = 32 * 1024 * 1024
_PATH: Final = "/chat/completions"
_WHO: Final = "standard inference"
_OK: Final = 200
_LOG: Final = logging.getLogger(__name__)


class StandardEngine:
    """One model of one server. It speaks with the member's prompt and without its adapter. Which parameters the model
    does not take is learnt from its refusals and remembered.
    """

    def __init__(self, url: str, model: str, api_key: str = "", transport: Transport | None = None) -> None:
        """`url` is all that stands before /chat/completions, for example https://api.openai.com/v1; many servers'
        pages give it with that, so it may end so.
        """
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        base = url.rstrip("/").removesuffix(_PATH)
        self._http = transport or HttpTransport(base, headers=headers, who=_WHO)
        self.model = model
        self._api_key = api_key
        self._supported = SupportedParameters()

    @property
    def url(self) -> str:
        return self._http.url

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        return bounded(schema)

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        end = asyncio.get_running_loop().time() + timeout
        attempt = self._supported.attempt(request, streams=False)
        while True:
            try:
                return self._with_dropped_params(attempt, await self._generate(request, attempt, _left(end)))
            except RefusedError as refused:
                attempt = _next(attempt, refused.refusal)

    async def stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        end = asyncio.get_running_loop().time() + timeouts.whole
        attempt = self._supported.attempt(request, streams=True)
        while True:
            streamed = False
            try:
                async with aclosing(self._stream(request, attempt, replace(timeouts, whole=_left(end)))) as pieces:
                    async for piece in pieces:
                        streamed = True
                        yield piece if isinstance(piece, str) else self._with_dropped_params(attempt, piece)
            except RefusedError as refused:
                if streamed:
                    raise refused.refusal.error() from None
                attempt = _next(attempt, refused.refusal)
            else:
                return

    async def close(self) -> None:
        await self._http.close()

    async def _generate(self, request: GenerationRequest, attempt: Attempt, timeout: float) -> Generation:
        reply = await self._http.request(
            "POST",
            _PATH,
            body=encode_json({"model": self.model, **attempt.body}),
            timeout=timeout,
            limit=MAX_ANSWER_BYTES,
            request_id=request.request_id,
        )
        if reply.status != _OK:
            raise self._refused(read_refusal(reply.status, reply.body))
        try:
            return decode_chat(reply, _WHO, filters=_may_be_filtered(request))
        except BadResponse:
            if (refusal := refusal_within(reply.body)) is not None:
                raise self._refused(refusal) from None  # some say with HTTP 200 that they failed
            raise

    async def _stream(
        self, request: GenerationRequest, attempt: Attempt, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        assembly, events = OpenAIChatAssembly(_WHO, filters=_may_be_filtered(request)), EventReader()
        # no sign of life is part of OpenAI's protocol: silence is thought
        timeouts = replace(timeouts, first_byte=timeouts.whole, between_bytes=timeouts.whole)
        async with self._http.stream(
            _PATH,
            timeouts=timeouts,
            limit=MAX_STREAM_BYTES,
            body=encode_json({"model": self.model, **attempt.body, "stream": True}),
            request_id=request.request_id,
        ) as reply:
            if reply.status != _OK:
                raise self._refused(read_refusal(reply.status, await reply.read_all(MAX_ANSWER_BYTES)))
            if reply.content_type != "text/event-stream":
                raise BadResponse(
                    f"standard inference's answer is {clean(reply.content_type)}, and no stream of events"
                )
            while not assembly.complete:
                chunk = await reply.read()
                if not chunk and assembly.finished:
                    break  # some servers send neither usage nor [DONE]
                if not chunk:
                    raise BadResponse("standard inference's stream ended before its answer did")
                texts, failure = take_events(assembly, events.feed(chunk))
                if texts:
                    yield texts
                if failure is not None:
                    raise failure
            yield assembly.generation()
            await drain(reply)

    def _refused(self, refusal: Refusal) -> RefusedError:
        return RefusedError(refusal.without(self._api_key))

    def _with_dropped_params(self, attempt: Attempt, generation: Generation) -> Generation:
        """The generation, with what its request did not say; that is remembered now."""
        for name in self._supported.learn(attempt):
            _LOG.info("standard inference does not take a parameter", extra={"url": self.url, "parameter": name})
        dropped = attempt.dropped
        if generation.prompt_tokens or generation.completion_tokens:
            dropped -= {"stream_options"}  # it counted them unasked
        return msgspec.structs.replace(generation, dropped_params=tuple(sorted(dropped))) if dropped else generation


def _next(attempt: Attempt, refusal: Refusal) -> Attempt:
    """The next attempt; raises what the refusal stands for where there is none."""
    found = attempt.after(refusal)
    if found is None:
        raise refusal.error() from None
    return found


def _left(end: float) -> float:
    """Seconds until then; raises EngineTimeout where it is over."""
    left = end - asyncio.get_running_loop().time()
    if left <= 0:
        raise EngineTimeout("no time was left to ask standard inference without what it refused")
    return left


def _may_be_filtered(request: GenerationRequest) -> bool:
    """Whether `content_filter` means a filter: a LoRAX says so where a stop text has ended an answer."""
    return not request.stop
