"""The LoRAX driver: /v1/chat/completions, or /generate with a plain layout where the model has no chat template."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from math import inf
from typing import Any, Final

import msgspec
import orjson

from boardroom.engine.classify import classify, clean
from boardroom.engine.errors import BadResponse, EngineError, InvalidRequest, TemplateFailed
from boardroom.engine.metrics import EngineMetrics, parse
from boardroom.engine.protocol import Exchange, Generation, GenerationRequest, StreamTimeouts
from boardroom.engine.sse import EventReader
from boardroom.engine.streaming import Assembly, ChatAssembly, Details, PlainAssembly, Usage, finish_reason
from boardroom.engine.transport import ChunkedReply, HttpTransport, Reply, Transport

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_STREAM_BYTES: Final = 32 * 1024 * 1024
"""A stream says everything around each token again; none of it is kept but the text."""
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
_LAST_READS: Final = 3
_LAST_SECONDS: Final = 0.2
"""[DONE] and the end of the stream come at once or are not waited for."""
_OK: Final = 200


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    usage: Usage | None = None


class _Plain(msgspec.Struct):
    generated_text: str
    details: Details | None = None


_CHAT: Final = msgspec.json.Decoder(_Chat)
_PLAIN: Final = msgspec.json.Decoder(_Plain)


class LoraxEngine:
    """One LoRAX server, and so one base model: whether its template works is learnt once and remembered."""

    def __init__(self, url: str, transport: Transport | None = None) -> None:
        self._http = transport or HttpTransport(url)
        self._plain = False

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def plain_layout(self) -> bool:
        """Whether the chat template failed, so that prompts go out in the plain layout."""
        return self._plain

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        if self._plain:
            return await self._generate(request, timeout)
        try:
            reply = await self._post("/v1/chat/completions", chat_body(request), request, timeout)
        except TemplateFailed:
            self._plain = True
            return await self._generate(request, timeout)
        return read_chat(reply)

    async def stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        if not self._plain:
            spoken = False
            try:
                async with aclosing(self._stream(request, timeouts, ChatAssembly())) as pieces:
                    async for piece in pieces:
                        spoken = True
                        yield piece
            except TemplateFailed:
                if spoken:
                    raise
                self._plain = True
            else:
                return
        async with aclosing(self._stream(request, timeouts, PlainAssembly())) as pieces:
            async for piece in pieces:
                yield piece

    async def health(self, timeout: float) -> None:
        reply = await self._http.request("GET", "/health", timeout=timeout, limit=MAX_PAGE_BYTES)
        if reply.status != _OK:
            raise classify(reply.status, reply.body)

    async def metrics(self, timeout: float) -> EngineMetrics:
        reply = await self._http.request("GET", "/metrics", timeout=timeout, limit=MAX_PAGE_BYTES)
        if reply.status != _OK:
            raise classify(reply.status, reply.body)
        try:
            return await asyncio.to_thread(parse, reply.body.decode("utf-8", "replace"))
        except ValueError as error:
            raise BadResponse(f"{self.url}/metrics is no Prometheus text: {error}") from error

    async def close(self) -> None:
        await self._http.close()

    async def _generate(self, request: GenerationRequest, timeout: float) -> Generation:
        return read_plain(await self._post("/generate", plain_body(request), request, timeout))

    async def _stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts, assembly: Assembly
    ) -> AsyncGenerator[str | Generation, None]:
        """One stream. What arrived together comes out together, also before an error that arrived with it."""
        chat = isinstance(assembly, ChatAssembly)
        path = "/v1/chat/completions" if chat else "/generate_stream"
        body = _dumped(chat_body(request) | {"stream": True} if chat else plain_body(request))
        events = EventReader()
        async with self._http.stream(
            path, timeouts=timeouts, limit=MAX_STREAM_BYTES, body=body, request_id=request.request_id
        ) as reply:
            if reply.status != _OK:
                raise classify(reply.status, await reply.read_all(MAX_ANSWER_BYTES))
            if reply.content_type != "text/event-stream":
                raise BadResponse(f"LoRAX's answer is {clean(reply.content_type)}, and no stream of events")
            while not assembly.complete:
                chunk = await reply.read()
                if not chunk:
                    raise BadResponse("LoRAX's stream ended before its answer did")
                texts, failure = _take_all(assembly, events.feed(chunk))
                if texts:
                    yield texts
                if failure is not None:
                    raise failure
            yield assembly.generation()
            await _read_out(reply)

    async def _post(self, path: str, body: dict[str, Any], request: GenerationRequest, timeout: float) -> Reply:
        reply = await self._http.request(
            "POST", path, body=_dumped(body), timeout=timeout, limit=MAX_ANSWER_BYTES, request_id=request.request_id
        )
        if reply.status != _OK:
            raise classify(reply.status, reply.body)
        return reply


async def _read_out(reply: ChunkedReply) -> None:
    """Read the few bytes behind an answer, so that the connection can be used again; if more come, it closes."""
    with suppress(EngineError):
        for _ in range(_LAST_READS):
            if not await reply.read(within=_LAST_SECONDS):
                return


def _take_all(assembly: Assembly, events: Sequence[bytes]) -> tuple[str, EngineError | None]:
    """The text that these events add, up to the answer's end or an error in them."""
    texts: list[str] = []
    try:
        for data in events:
            texts.append(assembly.take(data))
            if assembly.complete:
                break
    except EngineError as error:
        return "".join(texts), error
    return "".join(texts), None


def _dumped(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise InvalidRequest(f"the prompt is not valid Unicode: {error}") from error


def chat_body(request: GenerationRequest) -> dict[str, Any]:
    """A chat body. LoRAX samples unless temperature is 0, and reserves the whole context unless max_tokens is set."""
    system = [{"role": "system", "content": request.system}] if request.system else []
    history = [
        {"role": role, "content": text}
        for exchange in request.history
        for role, text in (("user", exchange.asked), ("assistant", exchange.answered))
    ]
    body: dict[str, Any] = {
        "model": request.adapter_id or "",
        "messages": [*system, *history, {"role": "user", "content": request.prompt}],
        "max_tokens": request.max_new_tokens,
        "temperature": request.temperature,
        "stream": False,
    }
    return body | _adapter_source(request) | _sampling(request) | _format(request)


def plain_body(request: GenerationRequest) -> dict[str, Any]:
    """A /generate body, greedy unless a temperature is set; details carry the finish reason."""
    parameters: dict[str, Any] = {
        "max_new_tokens": request.max_new_tokens,
        "do_sample": request.temperature > 0,
        "details": True,
        "return_full_text": False,
    }
    if request.adapter_id:
        parameters["adapter_id"] = request.adapter_id
    if request.temperature > 0:
        parameters["temperature"] = request.temperature
    parameters |= _adapter_source(request) | _sampling(request) | _format(request)
    return {"inputs": plain_layout(request.system, request.prompt, request.history), "parameters": parameters}


def plain_layout(system: str, prompt: str, history: Sequence[Exchange] = ()) -> str:
    """The layout for models without a chat template (docs/coordinator.md)."""
    before = [f"Question: {exchange.asked}\n\nAnswer: {exchange.answered}" for exchange in history]
    return "\n\n".join([*([system] if system else []), *before, f"Question: {prompt}\n\nAnswer:"])


def read_chat(reply: Reply) -> Generation:
    """A chat answer with LoRAX's deviations mended; raises BadResponse where it is none."""
    try:
        chat = _CHAT.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"LoRAX's answer is no chat completion: {error}") from error
    if not chat.choices or chat.choices[0].message.content is None:
        raise BadResponse("LoRAX's answer has no choice with a text")
    choice = chat.choices[0]
    usage = chat.usage or Usage()
    return _generation(
        reply, choice.message.content or "", choice.finish_reason, usage.prompt_tokens, usage.completion_tokens or 0
    )


def read_plain(reply: Reply) -> Generation:
    """A /generate answer; raises BadResponse where it is none."""
    try:
        plain = _PLAIN.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"LoRAX's answer is no generation: {error}") from error
    details = plain.details or Details()
    return _generation(
        reply, plain.generated_text, details.finish_reason, details.prompt_tokens, details.generated_tokens
    )


def _generation(reply: Reply, text: str, finish: str | None, prompt_tokens: int, completion_tokens: int) -> Generation:
    return Generation(
        text=text,
        finish_reason=finish_reason(finish),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        queue_ms=_milliseconds(reply.headers, "x-queue-time"),
        total_ms=_milliseconds(reply.headers, "x-total-time"),
    )


def _milliseconds(headers: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(headers[name])
    except (KeyError, ValueError):
        return None
    return value if 0 <= value < inf else None


def _adapter_source(request: GenerationRequest) -> dict[str, Any]:
    """Said even though the launcher has the same default: a LoRAX that others run may default to the hub."""
    return {"adapter_source": "local"} if request.adapter_id else {}


def _format(request: GenerationRequest) -> dict[str, Any]:
    """The one form of a schema that the release, the main branch and both kinds of route take alike."""
    schema = request.response_format
    return {} if schema is None else {"response_format": {"type": "json_object", "schema": schema}}


def _sampling(request: GenerationRequest) -> dict[str, Any]:
    optional = {"top_p": request.top_p, "stop": list(request.stop) or None, "seed": request.seed}
    return {name: value for name, value in optional.items() if value is not None}
