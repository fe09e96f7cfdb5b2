"""Where conversations are kept: what the coordinator asks of it."""

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from boardroom.api.conversation import Conversation

BUSY: Final = "this conversation is at another question: ask again when that is answered"


class Store(Protocol):
    """Everything may raise ConversationsUnavailable."""

    def claimed(self, conv_id: str) -> AbstractAsyncContextManager[str]:
        """Have the conversation to oneself; gives the claim. Raises ConversationBusy where another has it."""

    async def read(self, conv_id: str) -> Conversation | None:
        """The conversation, unless there is none or its time is over."""

    async def write(self, conversation: Conversation, ttl_seconds: float, claim: str) -> None:
        """Keep it for so long, in the place of what was kept before. Raises where the claim was lost meanwhile."""

    async def delete(self, conv_id: str) -> bool:
        """Whether there was one to forget."""

    async def close(self) -> None:
        """Close every connection."""
