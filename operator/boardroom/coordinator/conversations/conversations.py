"""Questions of one conversation, one at a time, each member with its own past turns."""

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
    """A board's conversations. A caller of the board may continue, read and delete a conversation by its id."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def with_history(
        self, context: AskContext, roster: Roster, answer: Callable[[AskContext], Awaitable[AskResponse]]
    ) -> AskResponse:
        """Calls `answer` with a question that has a conv_id and the members' past turns, and keeps its response.

        Raises what `answer` raises, and ConversationBusy and ConversationsUnavailable.
        """
        request = context.request
        conv_id = request.conv_id or ""
        async with self._store.claim(conv_id) as claim:
            before = await self._store.read(conv_id) or Conversation(conv_id=conv_id)
            prompt = replace(context.prompt, histories=threads.histories(before, roster))
            response = await answer(replace(context, prompt=prompt))
            after = threads.extended(before, request, response, roster, roster.conversations)
            lost = await self._keep(after, roster.conversations.ttl_seconds, claim)
        warnings = [warning for warning in (threads.warning(before, response), lost) if warning]
        return replace(response, warnings=[*response.warnings, *warnings]) if warnings else response

    async def read(self, conv_id: str) -> Conversation:
        """The conversation; raises UnknownConversation."""
        conversation = await self._store.read(conv_id)
        if conversation is None:
            raise _unknown()
        return conversation

    async def delete(self, conv_id: str) -> None:
        """Delete the conversation. Raises UnknownConversation, and ConversationBusy (a pending answer restores it)."""
        async with self._store.claim(conv_id):
            if not await self._store.delete(conv_id):
                raise _unknown()

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _keep(self, conversation: Conversation, ttl_seconds: float, claim: str) -> str | None:
        """Write the conversation. A warning if that fails: the answer is worth more than its place in it."""
        try:
            await self._store.write(conversation, ttl_seconds, claim)
        except ConversationsUnavailable as problem:
            return f"the next question of this conversation will not know of this one: {problem}"
        return None


def _unknown() -> UnknownConversation:
    return UnknownConversation("there is no such conversation: it was never begun, was deleted, or has expired")
