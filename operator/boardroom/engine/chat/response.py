"""A whole chat answer. Pure.

LoRAX deviates from OpenAI here (docs/lorax.md#openai-deviations); the deviations are undone for every server, because
any server may be a LoRAX.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, Final

import msgspec

from boardroom.engine.errors import BadResponse
from boardroom.engine.protocol import FinishReason, Generation
from boardroom.engine.transport import Reply

MAX_COUNT: Final = 2**53


class _Part(msgspec.Struct):
    text: str | None = None
    """Parts of other kinds, such as thoughts, have none."""


Content = str | list[_Part] | None
"""A message's text, as one string or in parts."""


class _Message(msgspec.Struct):
    content: Content = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    usage: Any = None


_CHAT: Final = msgspec.json.Decoder(_Chat)


def decode_chat(reply: Reply, server: str, *, has_content_filter: bool = False) -> Generation:
    """Decode a chat answer; raises BadResponse, which names `server`, if the reply is not one."""
    try:
        chat = _CHAT.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"{server}'s answer is no chat completion: {error}") from error
    if not chat.choices or chat.choices[0].message.content is None:
        raise BadResponse(f"{server}'s answer has no choice with a text")
    choice = chat.choices[0]
    finish = finish_reason(choice.finish_reason, has_content_filter=has_content_filter)
    prompt, completion = (token_count(chat.usage, name) for name in ("prompt_tokens", "completion_tokens"))
    return generation(reply, content_text(choice.message.content), finish, prompt, completion)


def generation(reply: Reply, text: str, finish: FinishReason, prompt_tokens: int, completion_tokens: int) -> Generation:
    """Return a whole answer, with the times that LoRAX sends in headers (milliseconds)."""
    return Generation(
        text=text,
        finish_reason=finish,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        queue_ms=_milliseconds(reply.headers, "x-queue-time"),
        inference_ms=_milliseconds(reply.headers, "x-inference-time"),
        total_ms=_milliseconds(reply.headers, "x-total-time"),
    )


def finish_reason(text: str | None, *, has_content_filter: bool = False) -> FinishReason:
    """Return OpenAI's finish reason for a server's.

    LoRAX says `content_filter` for a stop sequence, and `eos_token` or `stop_sequence` on its own routes. If
    `has_content_filter`, the server may really have a filter.
    """
    if has_content_filter and text == "content_filter":
        return "content_filter"
    return "length" if text == "length" else "stop"


def content_text(content: Content) -> str:
    """Return the text of a message or of a delta."""
    return content if isinstance(content, str) else "".join(part.text or "" for part in content or ())


def token_count(usage: object, name: str) -> int:
    """Return the token count of this name in an OpenAI `usage`; 0 if it is missing or not a count."""
    count: Any = usage.get(name) if isinstance(usage, dict) else None
    is_number = isinstance(count, (int, float)) and not isinstance(count, bool)
    return int(count) if is_number and 0 <= count < MAX_COUNT else 0


def _milliseconds(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < inf else None
