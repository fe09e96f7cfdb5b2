"""Questions of one conversation: one at a time, each member with what it said before."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from boardroom.api.conversation import Conversation
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.conversations import threads
from boardroom.coordinator.conversations.store import Store
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.errors import ConversationsUnavailable, UnknownConversation
from boardroom.coordinator.response import AskResponse


class Conversations:
    """The board's; who knows a conversation's id and may ask the board may continue, read and delete it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(
        self, context: AskContext, roster: Roster, ask: Callable[[AskContext], Awaitable[AskResponse]]
    ) -> AskResponse:
        """The answer of `ask` to a question with a conv_id, to which each member's history is added; kept when it is
        whole. Raises what `ask` raises, ConversationBusy and ConversationsUnavailable.
        """
        request = context.request
        conv_id = request.conv_id or ""
        async with self._store.claimed(conv_id) as claim:
            before = await self._store.read(conv_id) or Conversation(conv_id=conv_id)
            prompt = replace(context.prompt, histories=threads.histories(before, roster))
            answer = await ask(replace(context, prompt=prompt))
            after = threads.extended(before, request, answer, roster, roster.conversations)
            lost = await self._kept(after, roster.conversations.ttl_seconds, claim)
        warnings = [warning for warning in (threads.warning(before, answer), lost) if warning]
        return replace(answer, warnings=[*answer.warnings, *warnings]) if warnings else answer

    async def read(self, conv_id: str) -> Conversation:
        """Raises UnknownConversation."""
        found = await self._store.read(conv_id)
        if found is None:
            raise _unknown()
        return found

    async def delete(self, conv_id: str) -> None:
        """Raises UnknownConversation, and ConversationBusy: an answer on its way would bring it back."""
        async with self._store.claimed(conv_id):
            if not await self._store.delete(conv_id):
                raise _unknown()

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _kept(self, conversation: Conversation, ttl_seconds: float, claim: str) -> str | None:
        """Keep it; or the warning why not. The answer is there, and worth more than its place in the conversation."""
        try:
            await self._store.write(conversation, ttl_seconds, claim)
        except ConversationsUnavailable as problem:
            return f"the next question of this conversation will not know of this one: {problem}"
        return None


def _unknown() -> UnknownConversation:
    return UnknownConversation("there is no such conversation: it never was, was deleted, or its time is over")
