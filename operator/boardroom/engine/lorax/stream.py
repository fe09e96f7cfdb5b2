"""LoRAX's two kinds of stream: chat deltas, and the tokens of /generate_stream. Pure.

LoRAX sends an error inside a stream with HTTP 200 (docs/lorax.md#errors-by-text).
"""

from typing import Annotated, Final

import msgspec

from boardroom.engine.chat.response import MAX_COUNT, finish_reason
from boardroom.engine.chat.stream import ChatAssembly, Event, decode_event
from boardroom.engine.errors import BadResponse, EngineError
from boardroom.engine.lorax.classify import classify_event
from boardroom.engine.protocol import Generation

SERVER: Final = "LoRAX"
Count = Annotated[int, msgspec.Meta(ge=0, lt=MAX_COUNT)]


class _Token(msgspec.Struct):
    text: str
    special: bool = False


class Details(msgspec.Struct):
    """`details` of /generate and /generate_stream."""

    finish_reason: str | None = None
    prompt_tokens: Count = 0
    generated_tokens: Count = 0


class _PlainEvent(Event):
    token: _Token | None = None
    generated_text: str | None = None
    details: Details | None = None


_PLAIN: Final = msgspec.json.Decoder(_PlainEvent)


class LoraxChatAssembly(ChatAssembly):
    """/v1/chat/completions of LoRAX."""

    def __init__(self) -> None:
        super().__init__(SERVER)

    def _failure(self, error: str, error_type: str) -> EngineError:
        return classify_event(error, error_type)


class PlainAssembly:
    """/generate_stream: tokens; the last event has the whole text and the details, and nothing follows it."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._details = Details()

    @property
    def complete(self) -> bool:
        return self._text is not None

    def take(self, data: bytes) -> str:
        event = decode_event(_PLAIN, data, SERVER)
        if event.error is not None:
            raise classify_event(event.error, event.error_type)
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
