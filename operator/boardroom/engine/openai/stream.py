"""The chat stream of servers other than LoRAX. Pure."""

from typing import Final

from boardroom.engine.chat.stream import DONE, ChatAssembly
from boardroom.engine.openai.refusal import RefusedError, refusal_within

_NULL: Final = b"null"


class OpenAIChatAssembly(ChatAssembly):
    """The usage is in an event of its own after the finish reason, and [DONE] ends the stream."""

    def __init__(self, server: str, *, has_content_filter: bool = False) -> None:
        super().__init__(server, has_content_filter=has_content_filter)
        self._done = False

    @property
    def finished(self) -> bool:
        """Whether the text has ended; usage may follow."""
        return self._finish is not None

    @property
    def complete(self) -> bool:
        return self._done

    def take(self, data: bytes) -> str:
        if data == DONE and (self.finished or self._texts):  # some servers give no finish reason
            self._done = True
            return ""
        if not data.strip() or data == _NULL:
            return ""
        if b'"error"' in data and (refusal := refusal_within(data)) is not None:
            raise refusal.error() if self._texts else RefusedError(refusal)
        return super().take(data)
