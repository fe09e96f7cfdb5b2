"""Standard inference: any server with OpenAI's chat route, as the second engine of a board."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import msgspec

from boardroom.engine.chat import dumped, messages, read_chat, read_out, sampling, take_all
from boardroom.engine.classify import classify_openai, clean, openai_refusal
from boardroom.engine.errors import BadResponse, FieldNotTaken
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.engine.schema_limits import bounded
from boardroom.engine.sse import EventReader
from boardroom.engine.streaming import TailedChatAssembly
from boardroom.engine.transport import HttpTransport, Transport

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_STREAM_BYTES: Final = 32 * 1024 * 1024
_PATH: Final = "/chat/completions"
_WHO: Final = "standard inference"
_OK: Final = 200
_RENAMED: Final = {"max_tokens": "max_completion_tokens"}
_OPTIONAL: Final = frozenset({"temperature", "top_p", "stop", "seed"})
"""Models that reason take neither these nor the bound under its old name."""


class StandardEngine:
    """One model of one server. It speaks with the member's prompt and without its adapter. Which fields the model does
    not take is learnt from its refusals and remembered.
    """

    def __init__(self, url: str, model: str, api_key: str = "", transport: Transport | None = None) -> None:
        """`url` is all that stands before /chat/completions, for example https://api.openai.com/v1."""
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = transport or HttpTransport(url, headers=headers, who=_WHO)
        self.model = model
        self._not_taken: set[str] = set()

    @property
    def url(self) -> str:
        return self._http.url

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        return bounded(schema)

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        whole = self._whole(request)
        body = self._taken(whole)
        try:
            return _heeded(whole, body, await self._generate(request, body, timeout))
        except FieldNotTaken as refusal:
            self._learn(body, refusal)
        return await self.generate(request, timeout)

    async def stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        whole = self._whole(request)
        body = self._taken(whole)
        try:
            async with aclosing(self._stream(request, body, timeouts)) as pieces:
                async for piece in pieces:
                    yield piece if isinstance(piece, str) else _heeded(whole, body, piece)
        except FieldNotTaken as refusal:
            self._learn(body, refusal)
        else:
            return
        async with aclosing(self.stream(request, timeouts)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        await self._http.close()

    async def _generate(self, request: GenerationRequest, body: dict[str, Any], timeout: float) -> Generation:
        reply = await self._http.request(
            "POST",
            _PATH,
            body=dumped(body),
            timeout=timeout,
            limit=MAX_ANSWER_BYTES,
            request_id=request.request_id,
        )
        if reply.status != _OK:
            raise classify_openai(reply.status, reply.body)
        try:
            return read_chat(reply, _WHO, filters=_may_be_filtered(request))
        except BadResponse:
            if (refusal := openai_refusal(reply.body)) is not None:
                raise refusal from None  # some say with HTTP 200 that they failed
            raise

    async def _stream(
        self, request: GenerationRequest, body: dict[str, Any], timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        assembly, events = TailedChatAssembly(filters=_may_be_filtered(request)), EventReader()
        # no sign of life is part of OpenAI's protocol: silence is thought
        timeouts = replace(timeouts, first_byte=timeouts.whole, between_bytes=timeouts.whole)
        async with self._http.stream(
            _PATH,
            timeouts=timeouts,
            limit=MAX_STREAM_BYTES,
            body=dumped(body | {"stream": True, "stream_options": {"include_usage": True}}),
            request_id=request.request_id,
        ) as reply:
            if reply.status != _OK:
                raise classify_openai(reply.status, await reply.read_all(MAX_ANSWER_BYTES))
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
                texts, failure = take_all(assembly, events.feed(chunk))
                if texts:
                    yield texts
                if failure is not None:
                    raise failure
            yield assembly.generation()
            await read_out(reply)

    def _taken(self, whole: dict[str, Any]) -> dict[str, Any]:
        """What the model takes of it."""
        if not self._not_taken:
            return whole
        taken = {name: value for name, value in whole.items() if name not in self._not_taken}
        return taken | {new: whole[old] for old, new in _RENAMED.items() if old in self._not_taken}

    def _whole(self, request: GenerationRequest) -> dict[str, Any]:
        schema = None if request.response_format is None else self.schema(request.response_format)
        wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        return {
            "model": self.model,
            "messages": messages(request),
            "max_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            **sampling(request),
            **({} if schema is None else {"response_format": wanted}),
        }

    def _learn(self, body: dict[str, Any], refusal: FieldNotTaken) -> None:
        """Leave the field out from now on; raises the refusal where it can't be helped, or is about nothing sent."""
        if refusal.field not in body or refusal.field not in _OPTIONAL | _RENAMED.keys():
            raise refusal
        self._not_taken.add(refusal.field)


def _may_be_filtered(request: GenerationRequest) -> bool:
    """Whether `content_filter` means a filter: a LoRAX says so where a stop text has ended an answer."""
    return not request.stop


def _heeded(whole: dict[str, Any], body: dict[str, Any], generation: Generation) -> Generation:
    """The generation, with what was left out of its request."""
    left_out = _OPTIONAL & whole.keys() - body.keys()
    return msgspec.structs.replace(generation, unheeded=tuple(sorted(left_out))) if left_out else generation
