"""Each member's thread of a conversation: the turns for its prompt, and the turn to keep of an answer. Pure."""

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
    """The past turns of each member of the board, by its name."""
    return {
        thread.agent: tuple(PastTurn(turn.asked, turn.answered) for turn in thread.turns)
        for thread in _threads(conversation, roster).values()
    }


def extended(
    conversation: Conversation, request: AskRequest, answer: AskResponse, roster: Roster, spec: ConversationsSpec
) -> Conversation:
    """The conversation with a turn more for each member that answered; threads of agents that left the board go."""
    threads = _threads(conversation, roster)
    members = {member.name: member for member in roster.members}
    for member_answer in with_text(answer.answers):
        agent, text = member_answer.agent, member_answer.text
        if text and text.strip() and agent in members:
            thread = threads.get(agent) or _new(members[agent])
            threads[agent] = _cut(thread, [*thread.turns, _turn(request, answer, member_answer)], spec)
    return Conversation(conv_id=conversation.conv_id, members=[threads[name] for name in sorted(threads)])


def warning(conversation: Conversation, answer: AskResponse) -> str | None:
    """The warning that names members which were asked without their oldest turns; None without any."""
    asked = {member_answer.agent for member_answer in answer.answers}
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


def _turn(request: AskRequest, answer: AskResponse, member_answer: MemberAnswer) -> ConversationTurn:
    adapter = member_answer.adapter
    return ConversationTurn(
        request_id=answer.request_id,
        asked=request.user_input,
        answered=member_answer.text or "",
        engine=member_answer.engine,
        adapter=adapter and AdapterIdentity(path=adapter.path, digest=adapter.digest),
        tokens=_estimate(request.user_input) + (_count(member_answer) or _estimate(member_answer.text or "")),
    )


def _count(answer: MemberAnswer) -> int:
    return answer.usage.completion_tokens if answer.usage else 0


def _estimate(text: str) -> int:
    """An upper estimate of a text's tokens: English has about 4 bytes a token, Chinese 3 to a character."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def _cut(thread: ConversationMember, turns: Sequence[ConversationTurn], spec: ConversationsSpec) -> ConversationMember:
    """The thread with its newest whole turns that fit; none if the newest is too long by itself."""
    kept: list[ConversationTurn] = []
    tokens = 0
    for turn in reversed(turns):
        tokens += turn.tokens
        if len(kept) == spec.max_turns or tokens > spec.max_tokens:
            break
        kept.insert(0, turn)
    return thread.model_copy(update={"turns": kept, "forgotten": thread.forgotten + len(turns) - len(kept)})
