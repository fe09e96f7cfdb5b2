"""What every server with OpenAI's chat route has in common: bodies, answers, and streams read to their end."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Final

import msgspec
import orjson

from boardroom.engine.errors import BadResponse, EngineError, InvalidRequest
from boardroom.engine.protocol import FinishReason, Generation, GenerationRequest
from boardroom.engine.streaming import Assembly, Content, content_text, finish_reason, tokens
from boardroom.engine.transport import ChunkedReply, Reply

LAST_READS: Final = 3
LAST_SECONDS: Final = 0.2
"""[DONE] and the end of the stream come at once or are not waited for."""


class _Message(msgspec.Struct):
    content: Content = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    usage: Any = None


_CHAT: Final = msgspec.json.Decoder(_Chat)


def messages(request: GenerationRequest) -> list[dict[str, str]]:
    """System prompt, history and question."""
    system = [{"role": "system", "content": request.system}] if request.system else []
    history = [
        {"role": role, "content": text}
        for turn in request.history
        for role, text in (("user", turn.question), ("assistant", turn.answer))
    ]
    return [*system, *history, {"role": "user", "content": request.prompt}]


def sampling(request: GenerationRequest) -> dict[str, Any]:
    """What every server calls alike, where it is set."""
    found: dict[str, Any] = {}
    if request.top_p is not None:
        found["top_p"] = request.top_p
    if request.stop:
        found["stop"] = list(request.stop)
    if request.seed is not None:
        found["seed"] = request.seed
    return found


def encode_json(body: dict[str, Any]) -> bytes:
    """JSON; raises InvalidRequest for what is none: a text that is not valid Unicode, a schema that is too deep."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise InvalidRequest(f"the request can't be written as JSON: {error}") from error


def decode_chat(reply: Reply, who: str, *, filters: bool = False) -> Generation:
    """A chat answer, with LoRAX's deviations mended; raises BadResponse, which names `who`, where it is none."""
    try:
        chat = _CHAT.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"{who}'s answer is no chat completion: {error}") from error
    if not chat.choices or chat.choices[0].message.content is None:
        raise BadResponse(f"{who}'s answer has no choice with a text")
    choice = chat.choices[0]
    finish = finish_reason(choice.finish_reason, filters=filters)
    prompt, completion = (tokens(chat.usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return generation(reply, content_text(choice.message.content), finish, prompt, completion)


def generation(reply: Reply, text: str, finish: FinishReason, prompt_tokens: int, completion_tokens: int) -> Generation:
    """A whole answer with the times that LoRAX gives in its headers."""
    return Generation(
        text=text,
        finish_reason=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        queue_ms=_milliseconds(reply.headers, "x-queue-time"),
        inference_ms=_milliseconds(reply.headers, "x-inference-time"),
        total_ms=_milliseconds(reply.headers, "x-total-time"),
    )


async def drain(reply: ChunkedReply) -> None:
    """Read the few bytes behind an answer, so that the connection can be used again; if more come, it closes."""
    with suppress(EngineError):
        for _ in range(LAST_READS):
            if not await reply.read(within=LAST_SECONDS):
                return


def take_events(assembly: Assembly, events: Sequence[bytes]) -> tuple[str, EngineError | None]:
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


def _milliseconds(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < inf else None
