"""Each member's thread of a conversation: what goes into its prompt, and what is kept of an answer. Pure."""

import math
from collections.abc import Sequence
from typing import Final

from boardroom.api.ask import AdapterIdentity, AskRequest
from boardroom.api.conversation import Conversation, ConversationMember, ConversationsSpec, ConversationTurn
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.deliberation.session import with_text
from boardroom.coordinator.response import AskResponse, MemberAnswer
from boardroom.engine.protocol import PastTurn

BYTES_PER_TOKEN: Final = 3


def histories(conversation: Conversation, roster: Roster) -> dict[str, tuple[PastTurn, ...]]:
    """What each member on the board said itself, by name."""
    return {
        thread.agent: tuple(PastTurn(turn.asked, turn.answered) for turn in thread.turns)
        for thread in _threads(conversation, roster).values()
    }


def extended(
    conversation: Conversation, request: AskRequest, answer: AskResponse, roster: Roster, spec: ConversationsSpec
) -> Conversation:
    """The conversation with this question in the threads of those who answered it; who left the board is left out."""
    threads = _threads(conversation, roster)
    members = {member.name: member for member in roster.members}
    for said in with_text(answer.answers):
        if said.text and said.text.strip() and said.agent in members:
            thread = threads.get(said.agent) or _new(members[said.agent])
            threads[said.agent] = _cut(thread, [*thread.turns, _turn(request, answer, said)], spec)
    return Conversation(conv_id=conversation.conv_id, members=[threads[name] for name in sorted(threads)])


def warning(conversation: Conversation, answer: AskResponse) -> str | None:
    """Who was asked without the beginning of its thread."""
    asked = {said.agent for said in answer.answers}
    cut = [f"{m.role} ({m.agent}) {m.forgotten}" for m in conversation.members if m.forgotten and m.agent in asked]
    if not cut:
        return None
    return (
        f"the oldest turns of this conversation were cut (spec.coordinator.conversations.maxTurns, maxTokens): "
        f"{', '.join(cut)}"
    )


def _threads(conversation: Conversation, roster: Roster) -> dict[str, ConversationMember]:
    uids = {member.name: member.uid for member in roster.members}
    return {thread.agent: thread for thread in conversation.members if uids.get(thread.agent) == thread.uid}


def _new(member: Member) -> ConversationMember:
    return ConversationMember(agent=member.name, role=member.role, uid=member.uid)


def _turn(request: AskRequest, answer: AskResponse, said: MemberAnswer) -> ConversationTurn:
    return ConversationTurn(
        request_id=answer.request_id,
        asked=request.user_input,
        answered=said.text or "",
        engine=said.engine,
        adapter=said.adapter and AdapterIdentity(path=said.adapter.path, digest=said.adapter.digest),
        tokens=_reckoned(request.user_input) + (_counted(said) or _reckoned(said.text or "")),
    )


def _counted(said: MemberAnswer) -> int:
    return said.usage.completion_tokens if said.usage else 0


def _reckoned(text: str) -> int:
    """More tokens than most tokenizers make of a text: English has about 4 bytes a token, Chinese 3 to a character."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def _cut(thread: ConversationMember, turns: Sequence[ConversationTurn], spec: ConversationsSpec) -> ConversationMember:
    """The newest whole turns that fit; one that is too long by itself leaves none."""
    kept: list[ConversationTurn] = []
    tokens = 0
    for turn in reversed(turns):
        tokens += turn.tokens
        if len(kept) == spec.max_turns or tokens > spec.max_tokens:
            break
        kept.insert(0, turn)
    return thread.model_copy(update={"turns": kept, "forgotten": thread.forgotten + len(turns) - len(kept)})
