"""The store of conversations, as the coordinator uses it."""

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from boardroom.api.conversation import Conversation

BUSY: Final = "this conversation is at another question: ask again when that is answered"


class Store(Protocol):
    """Keeps conversations by their ids. Every call may raise ConversationsUnavailable."""

    def claim(self, conv_id: str) -> AbstractAsyncContextManager[str]:
        """Claim the conversation for one question; gives the claim. Raises ConversationBusy if another has it."""

    async def read(self, conv_id: str) -> Conversation | None:
        """The conversation; None if there is none or it has expired."""

    async def write(self, conversation: Conversation, ttl_seconds: float, claim: str) -> None:
        """Keep the conversation for `ttl_seconds`, in the place of the one before. Raises if the claim was lost."""

    async def delete(self, conv_id: str) -> bool:
        """Forget the conversation; whether there was one."""

    async def close(self) -> None:
        """Close every connection."""
