"""Standard inference: any server with OpenAI's chat route, as the second engine of a board."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final

from boardroom.engine.chat import dumped, messages, read_chat, read_out, sampling, take_all
from boardroom.engine.classify import classify_openai, clean, openai_refusal
from boardroom.engine.errors import BadResponse
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.engine.sse import EventReader
from boardroom.engine.streaming import TailedChatAssembly
from boardroom.engine.transport import HttpTransport, Transport

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_STREAM_BYTES: Final = 32 * 1024 * 1024
_PATH: Final = "/chat/completions"
_WHO: Final = "standard inference"
_OK: Final = 200


class StandardEngine:
    """One model of one server. It speaks with the member's prompt and without its adapter."""

    def __init__(self, url: str, model: str, api_key: str = "", transport: Transport | None = None) -> None:
        """`url` is all that stands before /chat/completions, for example https://api.openai.com/v1."""
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = transport or HttpTransport(url, headers=headers, who=_WHO)
        self.model = model

    @property
    def url(self) -> str:
        return self._http.url

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        reply = await self._http.request(
            "POST",
            _PATH,
            body=dumped(self._body(request)),
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

    async def stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        body = dumped(self._body(request) | {"stream": True, "stream_options": {"include_usage": True}})
        assembly, events = TailedChatAssembly(filters=_may_be_filtered(request)), EventReader()
        # no sign of life is part of OpenAI's protocol: silence is thought
        timeouts = replace(timeouts, first_byte=timeouts.whole, between_bytes=timeouts.whole)
        async with self._http.stream(
            _PATH, timeouts=timeouts, limit=MAX_STREAM_BYTES, body=body, request_id=request.request_id
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

    async def close(self) -> None:
        await self._http.close()

    def _body(self, request: GenerationRequest) -> dict[str, Any]:
        schema = request.response_format
        wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        return {
            "model": self.model,
            "messages": messages(request),
            "max_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            **sampling(request),
            **({} if schema is None else {"response_format": wanted}),
        }


def _may_be_filtered(request: GenerationRequest) -> bool:
    """Whether `content_filter` means a filter: a LoRAX says so where a stop text has ended an answer."""
    return not request.stop
