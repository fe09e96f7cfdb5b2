"""The two kinds of stream, OpenAI's and LoRAX's own, put together event by event; everything here is pure.

Both raise EngineError for an error inside the stream, which LoRAX sends with HTTP 200, and BadResponse for an event
that is none of theirs. What stands beside the text, the usage above all, is taken where it can be read.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec

from boardroom.engine.classify import classify_event
from boardroom.engine.errors import BadResponse
from boardroom.engine.protocol import FinishReason, Generation
from boardroom.engine.refusal import RefusedError, refusal_within

_DONE: Final = b"[DONE]"
_NULL: Final = b"null"
_ENDS: Final = frozenset(
    ("</s>", "<eos>", "<end_of_turn>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "<|end|>")
)
"""How models end: markup, and no text."""
MAX_COUNT: Final = 2**53
Count = Annotated[int, msgspec.Meta(ge=0, lt=MAX_COUNT)]


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


class _Part(msgspec.Struct):
    text: str | None = None
    """Parts of other kinds, thoughts for example, have none."""


Content = str | list[_Part] | None
"""A message's text, at once or in parts."""


class _Delta(msgspec.Struct):
    content: Content = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _ChatEvent(_Refusal):
    choices: list[_Choice] | None = None
    usage: Any = None


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


def content_text(content: Content) -> str:
    """The text of a message, or of a piece of one."""
    return content if isinstance(content, str) else "".join(part.text or "" for part in content or ())


def tokens(usage: object, name: str) -> int:
    """How many tokens `usage` of OpenAI's routes counts under this name; 0 where that is not known."""
    found: Any = usage.get(name) if isinstance(usage, Mapping) else None
    counted = isinstance(found, (int, float)) and not isinstance(found, bool)
    return int(found) if counted and 0 <= found < MAX_COUNT else 0


class ChatAssembly:
    """/v1/chat/completions: deltas, with the finish reason and the usage in the last; [DONE] behind it adds nothing."""

    def __init__(self, who: str = "LoRAX", *, filters: bool = False) -> None:
        self._who = who
        self._filters = filters
        self._texts: list[str] = []
        self._finish: str | None = None
        self._usage: object = None

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def take(self, data: bytes) -> str:
        if data == _DONE:
            raise BadResponse("the stream says it is done, but not why")
        event = _decode(_CHAT, data, self._who)
        self._usage = event.usage or self._usage
        if not event.choices:
            return ""
        choice = event.choices[0]
        text = content_text(choice.delta.content) if choice.delta else ""
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
            prompt_tokens=tokens(self._usage, "prompt_tokens"),
            completion_tokens=tokens(self._usage, "completion_tokens"),
        )


class OpenAIChatAssembly(ChatAssembly):
    """The same of other servers: the usage comes in an event of its own after the finish reason, and [DONE] ends it."""

    def __init__(self, who: str, *, filters: bool = False) -> None:
        super().__init__(who, filters=filters)
        self._done = False

    @property
    def finished(self) -> bool:
        """Whether the text has ended; usage may follow."""
        return self._finish is not None

    @property
    def complete(self) -> bool:
        return self._done

    def take(self, data: bytes) -> str:
        if data == _DONE and (self.finished or self._texts):  # some servers give no reason
            self._done = True
            return ""
        if not data.strip() or data == _NULL:
            return ""
        if b'"error"' in data and (refusal := refusal_within(data)) is not None:
            raise refusal.error() if self._texts else RefusedError(refusal)
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
        event = _decode(_PLAIN, data, "LoRAX")
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


def _decode(decoder: msgspec.json.Decoder[_EventT], data: bytes, who: str) -> _EventT:
    try:
        event = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponse(f"{who}'s stream has an event that is none of its own: {error}") from error
    if event.error is not None:
        raise classify_event(event.error, event.error_type)
    return event
