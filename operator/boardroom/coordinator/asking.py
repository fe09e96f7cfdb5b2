"""A question from its arrival to the board's answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from boardroom.api.ask import AnswerStatus, AskRequest, AskResponse, EngineName, MemberAnswer, MemberProblem, Usage
from boardroom.coordinator.attempts import Attempts
from boardroom.coordinator.modes.registry import load
from boardroom.coordinator.panel import Panel
from boardroom.coordinator.problems import InvalidQuestion, NotEnoughAnswers
from boardroom.coordinator.roster import Roster
from boardroom.coordinator.selection import Seat, select

_MODES = load()

NO_ENGINE = "this board runs without LoRAX (spec.enableLorax is false) and has no standard inference: set it to true"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A valid request; `began` is a time of the event loop's clock."""

    request: AskRequest
    request_id: str
    began: float


async def ask(question: Question, roster: Roster, attempts: Attempts | None) -> AskResponse:
    """The board's answer; raises AskProblem. Every member that was chosen is named in either."""
    request = question.request
    if not request.use_lorax:
        raise InvalidQuestion(
            f"use_lorax=false asks for standard inference, and board {roster.board!r} has none; leave use_lorax out",
            field="use_lorax",
        )
    seats = select(request, roster)
    mode = request.coordination_mode or roster.default_mode
    if attempts is None:
        raise NotEnoughAnswers(NO_ENGINE, members=[_unasked(seat) for seat in seats])
    timeout = request.timeout or float(roster.timeout_seconds)
    panel = Panel(
        attempts,
        request_id=question.request_id,
        parameters=request.parameters,
        began=question.began,
        timeout=timeout,
    )
    answers = await _MODES[mode](panel, seats, request.user_input)
    answered = [a for a in answers if a.status is AnswerStatus.ANSWERED]
    if len(answered) < request.min_successful:
        raise NotEnoughAnswers(_too_few(roster, answers, len(answered), request.min_successful), members=_why(answers))
    return AskResponse(
        request_id=question.request_id,
        conv_id=request.conv_id,
        coordination_mode=mode,
        used_lorax=any(a.engine is EngineName.LORAX for a in answered),
        execution_time=round(asyncio.get_running_loop().time() - question.began, 4),
        reply="\n\n".join(f"{a.role}: {a.text}" for a in answered),
        agents_involved=[a.agent for a in answered],
        answers=answers,
        batch=panel.batch,
        usage=_sum(answered),
        warnings=[*panel.warnings, *(_warning(a) for a in answers if a.status is not AnswerStatus.ANSWERED)],
    )


def _why(answers: Sequence[MemberAnswer]) -> list[MemberProblem]:
    return [
        MemberProblem(agent=a.agent, role=a.role, reason=a.reason or "")
        for a in answers
        if a.status is not AnswerStatus.ANSWERED
    ]


def _unasked(seat: Seat) -> MemberProblem:
    return MemberProblem(agent=seat.name, role=seat.role, reason=NO_ENGINE)


def _too_few(roster: Roster, answers: Sequence[MemberAnswer], answered: int, wanted: int) -> str:
    if not answers:
        return f"board {roster.board!r} has no members: create a BoardAgent whose spec.boardroomRef.name is its name"
    return (
        f"{answered} of {len(answers)} members answered, and {wanted} must; every other member's reason is in members"
    )


def _sum(answers: Sequence[MemberAnswer]) -> Usage:
    usages = [a.usage for a in answers if a.usage is not None]
    prompt = sum(u.prompt_tokens for u in usages)
    completion = sum(u.completion_tokens for u in usages)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _warning(answer: MemberAnswer) -> str:
    return f"{answer.role} ({answer.agent}) is {answer.status}: {answer.reason}"
