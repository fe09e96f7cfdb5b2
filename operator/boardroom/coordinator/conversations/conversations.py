"""Questions of one conversation: one at a time, each member with what it said before."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from boardroom.api.ask import AskRequest, AskResponse
from boardroom.api.conversation import Conversation
from boardroom.coordinator.conversations import threads
from boardroom.coordinator.conversations.memory import MemoryStore
from boardroom.coordinator.particulars import Context
from boardroom.coordinator.problems import UnknownConversation
from boardroom.coordinator.roster import Roster


class Conversations:
    """The board's; who knows a conversation's id and may ask the board may continue, read and delete it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def ask(
        self,
        request: AskRequest,
        roster: Roster,
        context: Context,
        ask: Callable[[Context], Awaitable[AskResponse]],
    ) -> AskResponse:
        """What `ask` makes of the question and its history; kept when it is whole. Raises what it raises, and
        ConversationBusy. A question without a conv_id has no history and leaves none.
        """
        if request.conv_id is None:
            return await ask(context)
        async with self._store.claimed(request.conv_id):
            before = await self._store.read(request.conv_id) or Conversation(conv_id=request.conv_id)
            answer = await ask(replace(context, histories=threads.histories(before, roster)))
            spec = roster.conversations
            await self._store.write(threads.extended(before, request, answer, roster, spec), spec.ttl_seconds)
        warning = threads.warning(before, answer)
        return answer.model_copy(update={"warnings": [*answer.warnings, warning]}) if warning else answer

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


def _unknown() -> UnknownConversation:
    return UnknownConversation("there is no such conversation: it never was, was deleted, or its time is over")
