"""The input and the result of a mode, and the prompt in which members see each other's answers. Pure."""

from collections.abc import Sequence

import msgspec

from boardroom.api.ask import AnswerStatus
from boardroom.coordinator.deliberation.selection import Agent
from boardroom.coordinator.response import Decision, MemberAnswer, Round


class Agenda(msgspec.Struct, frozen=True, kw_only=True):
    """A question and the members that answer it; `chair` need not be among them."""

    question: str
    agents: Sequence[Agent]
    chair: Agent
    rounds: int = 1
    quorum_percent: int = 50


class Deliberation(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of each member. `reply` None: the answers stand side by side. `chair` None: there was no chair."""

    answers: list[MemberAnswer]
    reply: str | None = None
    chair: str | None = None
    rounds: list[Round] = []
    decision: Decision | None = None


def prompt_with_answers(question: str, answers: Sequence[MemberAnswer], task: str = "") -> str:
    """The question, the answers so far, each under its role, and the task; the question alone without answers."""
    texts = [f"{a.role}: {a.text}" for a in answers if a.status is AnswerStatus.ANSWERED]
    if not texts:
        return question
    return "\n\n".join([question, "The board has said so far:", *texts, *([task] if task else [])])
