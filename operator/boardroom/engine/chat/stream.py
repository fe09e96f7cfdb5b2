"""A streamed answer, assembled event by event.

An assembly raises EngineError for an error inside the stream, and BadResponse for an event that is not of the route's
form. Fields besides the text, above all the usage, are used only if they can be read.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import msgspec

from boardroom.engine.chat.response import Content, content_text, finish_reason, token_count
from boardroom.engine.errors import BadResponse, EngineError
from boardroom.engine.protocol import Generation
from boardroom.engine.transport import ChunkedReply

DONE: Final = b"[DONE]"
MAX_DRAIN_READS: Final = 3
DRAIN_SECONDS: Final = 0.2
"""[DONE] and the end of the stream come at once, or are not waited for."""
_END_TOKENS: Final = frozenset(
    ("</s>", "<eos>", "<end_of_turn>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "<|end|>")
)
"""Models' end tokens: markup, not text."""


class Assembly(Protocol):
    """The answer of a stream while it grows."""

    @property
    def complete(self) -> bool:
        """Whether the answer has ended, so that no more events are needed."""

    def take(self, data: bytes) -> str:
        """Take an event; return the text that it adds, which may be empty."""

    def generation(self) -> Generation:
        """Return the whole answer, without times: those are headers, and streams have none."""


class Event(msgspec.Struct):
    """Any event of a stream; one with an `error` is LoRAX's way to fail with HTTP 200."""

    error: str | None = None
    error_type: str = ""


class _Delta(msgspec.Struct):
    content: Content = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _ChatEvent(Event):
    choices: list[_Choice] | None = None
    usage: Any = None


EventT = TypeVar("EventT", bound=Event)

_CHAT: Final = msgspec.json.Decoder(_ChatEvent)


class ChatAssembly:
    """/v1/chat/completions: deltas, the last with finish reason and usage. A [DONE] after it adds nothing."""

    def __init__(self, server: str, *, has_content_filter: bool = False) -> None:
        self._server = server
        self._has_content_filter = has_content_filter
        self._texts: list[str] = []
        self._finish: str | None = None
        self._usage: object = None

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def take(self, data: bytes) -> str:
        if data == DONE:
            raise BadResponse("the stream says it is done, but not why")
        event = decode_event(_CHAT, data, self._server)
        if event.error is not None:
            raise self._failure(event.error, event.error_type)
        self._usage = event.usage or self._usage
        if not event.choices:
            return ""
        choice = event.choices[0]
        text = content_text(choice.delta.content) if choice.delta else ""
        if choice.finish_reason == "length" and text in _END_TOKENS:  # LoRAX sends an end token that comes last as text
            text = ""
        if text:
            self._texts.append(text)
        self._finish = choice.finish_reason or self._finish
        return text

    def generation(self) -> Generation:
        return Generation(
            text="".join(self._texts),
            finish_reason=finish_reason(self._finish, has_content_filter=self._has_content_filter),
            prompt_tokens=token_count(self._usage, "prompt_tokens"),
            completion_tokens=token_count(self._usage, "completion_tokens"),
        )

    def _failure(self, error: str, error_type: str) -> EngineError:
        """Return the error that an event with an `error` means; drivers that know more override it."""
        return BadResponse(f"{self._server}'s stream has an error of type {error_type!r}: {error}")


def decode_event(decoder: msgspec.json.Decoder[EventT], data: bytes, server: str) -> EventT:
    """Decode an event; raises BadResponse, which names `server`, if the event is not of the decoder's form."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"{server}'s stream has an event that is none of its own: {error}") from error


def take_events(assembly: Assembly, events: Sequence[bytes]) -> tuple[str, EngineError | None]:
    """Take events up to the answer's end or an error in them; return the text that they add, and the error."""
    texts: list[str] = []
    try:
        for data in events:
            texts.append(assembly.take(data))
            if assembly.complete:
                break
    except EngineError as error:
        return "".join(texts), error
    return "".join(texts), None


async def drain(reply: ChunkedReply) -> None:
    """Read the few bytes after an answer, so that its connection can be used again; a longer rest closes it."""
    with suppress(EngineError):
        for _ in range(MAX_DRAIN_READS):
            if not await reply.read(within=DRAIN_SECONDS):
                return
