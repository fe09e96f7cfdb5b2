"""The LoRAX driver: /v1/chat/completions, or /generate with a plain layout if the model has no chat template."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from boardroom.engine.chat.body import encode_json, messages, sampling
from boardroom.engine.chat.response import decode_chat, finish_reason, generation
from boardroom.engine.chat.sse import EventReader
from boardroom.engine.chat.stream import Assembly, drain, take_events
from boardroom.engine.errors import BadResponse, TemplateFailed, one_line
from boardroom.engine.lorax.classify import classify
from boardroom.engine.lorax.metrics import parse
from boardroom.engine.lorax.schema_subset import subset
from boardroom.engine.lorax.stream import SERVER, Details, LoraxChatAssembly, PlainAssembly
from boardroom.engine.metrics import EngineMetrics
from boardroom.engine.protocol import Generation, GenerationRequest, PastTurn, StreamTimeouts
from boardroom.engine.transport import HttpTransport, Reply, Transport

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
MAX_STREAM_BYTES: Final = 32 * 1024 * 1024
"""A stream repeats the fields around each token; only the text is kept."""
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
LEAST_TEMPERATURE: Final = 0.01
"""Below this an answer is greedy. vLLM has the same bound, and raises lower temperatures to 0.01."""
SEEDS: Final = 2**64
_OK: Final = 200


class _Plain(msgspec.Struct):
    generated_text: str
    details: Details | None = None


_PLAIN: Final = msgspec.json.Decoder(_Plain)


class LoraxEngine:
    """The driver of a LoRAX server, which has one base model.

    The first refusal shows that the model's chat template does not work, and the driver remembers this. Prompts with a
    system message, which many templates refuse, are remembered separately from prompts without.
    """

    def __init__(self, url: str, transport: Transport | None = None) -> None:
        self._http = transport or HttpTransport(url)
        self._http.on_hangup = lambda: self.on_hangup()  # noqa: PLW0108 (it is set later)
        self.on_hangup: Callable[[], None] = lambda: None
        self._plain: set[bool] = set()
        """Kinds of prompts that use the plain layout: True is with a system message, False is without."""

    @property
    def url(self) -> str:
        return self._http.url

    @staticmethod
    def schema(schema: Mapping[str, Any], /) -> Mapping[str, Any]:
        return subset(schema)

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        if bool(request.system) in self._plain:
            return await self._generate(request, timeout)
        try:
            reply = await self._http.request(
                "POST",
                "/v1/chat/completions",
                body=encode_json(chat_body(request)),
                timeout=timeout,
                limit=MAX_ANSWER_BYTES,
                request_id=request.request_id,
            )
            if reply.status != _OK:
                raise classify(reply.status, reply.body)
        except TemplateFailed:
            self._plain.add(bool(request.system))
            return await self._generate(request, timeout)
        return decode_chat(reply, SERVER)

    async def stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts
    ) -> AsyncGenerator[str | Generation, None]:
        if bool(request.system) not in self._plain:
            streamed = False
            try:
                async with aclosing(self._stream(request, timeouts, LoraxChatAssembly())) as pieces:
                    async for piece in pieces:
                        streamed = True
                        yield piece
            except TemplateFailed:
                if streamed:
                    raise
                self._plain.add(bool(request.system))
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
        page = await self.metrics_page(timeout)
        try:
            return await asyncio.to_thread(parse, page.decode("utf-8", "replace"))
        except ValueError as error:
            raise BadResponse(f"{self.url}/metrics is no Prometheus text: {error}") from error

    async def metrics_page(self, timeout: float) -> bytes:
        reply = await self._http.request("GET", "/metrics", timeout=timeout, limit=MAX_PAGE_BYTES)
        if reply.status != _OK:
            raise classify(reply.status, reply.body)
        return reply.body

    async def close(self) -> None:
        await self._http.close()

    async def _generate(self, request: GenerationRequest, timeout: float) -> Generation:
        reply = await self._http.request(
            "POST",
            "/generate",
            body=encode_json(plain_body(request)),
            timeout=timeout,
            limit=MAX_ANSWER_BYTES,
            request_id=request.request_id,
        )
        if reply.status != _OK:
            raise classify(reply.status, reply.body)
        return decode_plain(reply)

    async def _stream(
        self, request: GenerationRequest, timeouts: StreamTimeouts, assembly: Assembly
    ) -> AsyncGenerator[str | Generation, None]:
        """Stream one answer. Texts that arrived together are yielded together, also if an error follows them."""
        chat = isinstance(assembly, LoraxChatAssembly)
        path = "/v1/chat/completions" if chat else "/generate_stream"
        body = encode_json(chat_body(request) | {"stream": True} if chat else plain_body(request))
        events = EventReader()
        async with self._http.stream(
            path, timeouts=timeouts, limit=MAX_STREAM_BYTES, body=body, request_id=request.request_id
        ) as reply:
            if reply.status != _OK:
                raise classify(reply.status, await reply.read_all(MAX_ANSWER_BYTES))
            if reply.content_type != "text/event-stream":
                raise BadResponse(f"LoRAX's answer is {one_line(reply.content_type)}, and no stream of events")
            while not assembly.complete:
                chunk = await reply.read()
                if not chunk:
                    raise BadResponse("LoRAX's stream ended before its answer did")
                texts, failure = take_events(assembly, events.feed(chunk))
                if texts:
                    yield texts
                if failure is not None:
                    raise failure
            yield assembly.generation()
            await drain(reply)


def chat_body(request: GenerationRequest) -> dict[str, Any]:
    """Return a chat body.

    LoRAX samples unless the temperature is 0, and reserves the whole context unless max_tokens is set
    (docs/lorax.md#token-reservation).
    """
    return {
        "model": request.adapter_id or "",
        "messages": messages(request),
        "max_tokens": request.max_new_tokens,
        "temperature": _temperature(request),
        "stream": False,
        **_adapter_source(request),
        **_sampling(request),
        **_format(request),
    }


def plain_body(request: GenerationRequest) -> dict[str, Any]:
    """Return a /generate body, greedy unless a temperature is set; `details` asks for the finish reason."""
    parameters: dict[str, Any] = {
        "max_new_tokens": request.max_new_tokens,
        "do_sample": _temperature(request) > 0,
        "details": True,
        "return_full_text": False,
    }
    if request.adapter_id:
        parameters["adapter_id"] = request.adapter_id
    if _temperature(request) > 0:
        parameters["temperature"] = _temperature(request)
    parameters |= _adapter_source(request) | _sampling(request) | _format(request)
    return {"inputs": plain_layout(request.system, request.prompt, request.history), "parameters": parameters}


def plain_layout(system: str, prompt: str, history: Sequence[PastTurn] = ()) -> str:
    """Return the prompt in the layout for models without a chat template (docs/concepts/)."""
    before = [f"Question: {turn.question}\n\nAnswer: {turn.answer}" for turn in history]
    return "\n\n".join([*([system] if system else []), *before, f"Question: {prompt}\n\nAnswer:"])


def decode_plain(reply: Reply) -> Generation:
    """Decode a /generate answer; raises BadResponse if the reply is not one."""
    try:
        plain = _PLAIN.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"LoRAX's answer is no generation: {error}") from error
    details = plain.details or Details()
    finish = finish_reason(details.finish_reason)
    return generation(reply, plain.generated_text, finish, details.prompt_tokens, details.generated_tokens)


def _temperature(request: GenerationRequest) -> float:
    """LoRAX divides by the temperature in float16, where a value near 0 is 0 or makes probabilities that are NaN."""
    return request.temperature if request.temperature >= LEAST_TEMPERATURE else 0.0


def _sampling(request: GenerationRequest) -> dict[str, Any]:
    """LoRAX samples whenever top_p is below 1, whatever the temperature, and refuses a negative seed."""
    fields = sampling(request)
    if not _temperature(request):
        fields.pop("top_p", None)
    if request.seed is not None:
        fields["seed"] = request.seed % SEEDS
    return fields


def _adapter_source(request: GenerationRequest) -> dict[str, Any]:
    """Sent although our launcher has the same default: a LoRAX that others run may default to the hub."""
    return {"adapter_source": "local"} if request.adapter_id else {}


def _format(request: GenerationRequest) -> dict[str, Any]:
    """The only form of a schema that both routes of LoRAX accept, in its release and in its main branch."""
    schema = request.response_format
    return {} if schema is None else {"response_format": {"type": "json_object", "schema": LoraxEngine.schema(schema)}}
