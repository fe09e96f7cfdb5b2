"""LoRAX's two kinds of stream, put together event by event; everything here is pure.

Both raise EngineError for an error inside the stream, which LoRAX sends with HTTP 200, and BadResponse for an event
that is none of theirs.
"""

from typing import Annotated, Final, Protocol, TypeVar

import msgspec

from boardroom.engine.classify import classify_event, openai_refusal
from boardroom.engine.errors import BadResponse
from boardroom.engine.protocol import FinishReason, Generation

_DONE: Final = b"[DONE]"
_ENDS: Final = frozenset(
    ("</s>", "<eos>", "<end_of_turn>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "<|end|>")
)
"""How models end: markup, and no text."""
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Assembly(Protocol):
    """A stream's answer as it grows."""

    @property
    def complete(self) -> bool:
        """Whether the answer has ended, so that the stream may."""

    def take(self, data: bytes) -> str:
        """The text that this event adds, perhaps none."""

    def generation(self) -> Generation:
        """The whole answer. Streams carry none of the headers with times."""


class _Refusal(msgspec.Struct):
    error: str | None = None
    error_type: str = ""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """`usage` of the OpenAI routes."""

    prompt_tokens: Count = 0
    completion_tokens: Count | None = None


class _ChatEvent(_Refusal):
    choices: list[_Choice] = []
    usage: Usage | None = None


class _Token(msgspec.Struct):
    text: str
    special: bool = False


class Details(msgspec.Struct):
    """`details` of LoRAX's own routes."""

    finish_reason: str | None = None
    prompt_tokens: Count = 0
    generated_tokens: Count = 0


class _PlainEvent(_Refusal):
    token: _Token | None = None
    generated_text: str | None = None
    details: Details | None = None


_EventT = TypeVar("_EventT", bound=_Refusal)

_CHAT: Final = msgspec.json.Decoder(_ChatEvent)
_PLAIN: Final = msgspec.json.Decoder(_PlainEvent)


def finish_reason(text: str | None, *, filters: bool = False) -> FinishReason:
    """LoRAX says `content_filter` for a stop sequence, and `eos_token` or `stop_sequence` on its own routes; `filters`:
    the server may have a filter, and means it.
    """
    if filters and text == "content_filter":
        return "content_filter"
    return "length" if text == "length" else "stop"


class ChatAssembly:
    """/v1/chat/completions: deltas, with the finish reason and the usage in the last; [DONE] behind it adds nothing."""

    def __init__(self, *, filters: bool = False) -> None:
        self._filters = filters
        self._texts: list[str] = []
        self._finish: str | None = None
        self._usage = Usage()

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def take(self, data: bytes) -> str:
        if data == _DONE:
            raise BadResponse("the stream says it is done, but not why")
        event = _decode(_CHAT, data)
        self._usage = event.usage or self._usage
        if not event.choices:
            return ""
        choice = event.choices[0]
        text = choice.delta.content or ""
        if choice.finish_reason == "length" and text in _ENDS:  # LoRAX shows the model's own end where it is the last
            text = ""
        if text:
            self._texts.append(text)
        self._finish = choice.finish_reason or self._finish
        return text

    def generation(self) -> Generation:
        return Generation(
            text="".join(self._texts),
            finish_reason=finish_reason(self._finish, filters=self._filters),
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens or 0,
        )


class TailedChatAssembly(ChatAssembly):
    """The same of other servers: the usage comes in an event of its own after the finish reason, and [DONE] ends it."""

    def __init__(self, *, filters: bool = False) -> None:
        super().__init__(filters=filters)
        self._done = False

    @property
    def finished(self) -> bool:
        """Whether the text has ended; usage may follow."""
        return self._finish is not None

    @property
    def complete(self) -> bool:
        return self._done

    def take(self, data: bytes) -> str:
        if data == _DONE and self.finished:
            self._done = True
            return ""
        if b'"error"' in data and (refusal := openai_refusal(data)) is not None:
            raise refusal
        return super().take(data)


class PlainAssembly:
    """/generate_stream: tokens; the last event has the whole text and the details, and nothing follows it."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._details = Details()

    @property
    def complete(self) -> bool:
        return self._text is not None

    def take(self, data: bytes) -> str:
        event = _decode(_PLAIN, data)
        self._details = event.details or self._details
        if event.generated_text is not None:
            self._text = event.generated_text
        if event.token is None:
            if event.generated_text is None:
                raise BadResponse("LoRAX's stream has an event without a token")
            return ""
        return "" if event.token.special else event.token.text

    def generation(self) -> Generation:
        return Generation(
            text=self._text or "",
            finish_reason=finish_reason(self._details.finish_reason),
            prompt_tokens=self._details.prompt_tokens,
            completion_tokens=self._details.generated_tokens,
        )


def _decode(decoder: msgspec.json.Decoder[_EventT], data: bytes) -> _EventT:
    try:
        event = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"LoRAX's stream has an event that is none of its own: {error}") from error
    if event.error is not None:
        raise classify_event(event.error, event.error_type)
    return event
