"""The driver of standard inference: any server with OpenAI's chat route, as a board's second engine."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import msgspec

from boardroom.engine.chat.body import encode_json
from boardroom.engine.chat.response import decode_chat
from boardroom.engine.chat.sse import EventReader
from boardroom.engine.chat.stream import drain, take_events
from boardroom.engine.errors import BadResponse, EngineTimeout, one_line
from boardroom.engine.openai.refusal import Refusal, RefusedError, read_refusal, refusal_within
from boardroom.engine.openai.stream import OpenAIChatAssembly
from boardroom.engine.openai.supported import Attempt, SupportedParameters
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.engine.schema_limits import bounded
from boardroom.engine.transport import HttpTransport, Transport

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_STREAM_BYTES: Final = 32 * 1024 * 1024
_PATH: Final = "/chat/completions"
_SERVER: Final = "standard inference"
_OK: Final = 200
_LOG: Final = logging.getLogger(__name__)


class StandardEngine:
    """The driver of one model on an OpenAI-compatible server. The model gets a member's prompt, without the adapter.

    The driver learns unsupported parameters from the model's refusals, and remembers them.
    """

    def __init__(self, url: str, model: str, api_key: str = "", transport: Transport | None = None) -> None:
        """`url` is the part before /chat/completions, such as https://api.openai.com/v1.

        The URL may also end with /chat/completions, because the documentation of many servers gives the whole URL.
        """
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        base = url.rstrip("/").removesuffix(_PATH)
        self._http = transport or HttpTransport(base, headers=headers, server=_SERVER)
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
                return self._with_dropped_params(attempt, await self._generate(request, attempt, _remaining(end)))
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
                async with aclosing(self._stream(request, attempt, replace(timeouts, whole=_remaining(end)))) as pieces:
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
            return decode_chat(reply, _SERVER, has_content_filter=_may_be_filtered(request))
        except BadResponse:
            if (refusal := refusal_within(reply.body)) is not None:
                raise self._refused(refusal) from None  # some servers fail with HTTP 200
            raise

    async def _stream(
        self, request: GenerationRequest, attempt: Attempt, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        assembly, events = OpenAIChatAssembly(_SERVER, has_content_filter=_may_be_filtered(request)), EventReader()
        # OpenAI's protocol has no keep-alive: a silent server may be thinking
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
                    f"standard inference's answer is {one_line(reply.content_type)}, and no stream of events"
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
        """Return the generation with the parameters that its request dropped, and remember them."""
        for name in self._supported.learn(attempt):
            _LOG.info("standard inference does not support a parameter", extra={"url": self.url, "parameter": name})
        dropped = attempt.dropped
        if generation.prompt_tokens or generation.completion_tokens:
            dropped -= {"stream_options"}  # it counted the tokens anyway
        return msgspec.structs.replace(generation, dropped_params=tuple(sorted(dropped))) if dropped else generation


def _next(attempt: Attempt, refusal: Refusal) -> Attempt:
    """Return the next attempt; raises the refusal's error after the last attempt."""
    following = attempt.after(refusal)
    if following is None:
        raise refusal.error() from None
    return following


def _remaining(end: float) -> float:
    """Return the seconds until `end`; raises EngineTimeout if it has passed."""
    remaining = end - asyncio.get_running_loop().time()
    if remaining <= 0:
        raise EngineTimeout("no time was left to ask standard inference without what it refused")
    return remaining


def _may_be_filtered(request: GenerationRequest) -> bool:
    """Whether `content_filter` means a filter: LoRAX uses the word for an answer that a stop sequence ended."""
    return not request.stop
