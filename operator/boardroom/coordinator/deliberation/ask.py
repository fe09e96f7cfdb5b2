"""A question from its arrival to the board's answer."""

import asyncio
from collections.abc import Sequence

import msgspec

from boardroom.api.ask import (
    AnswerStatus,
    AskRequest,
    AskResponse,
    CoordinationMode,
    EngineName,
    MemberAnswer,
    MemberProblem,
)
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.deliberation.context import NO_CONTEXT, AskContext, PromptContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.modes.registry import load
from boardroom.coordinator.deliberation.selection import Agent, select
from boardroom.coordinator.deliberation.session import Session, answered, in_short, reasons
from boardroom.coordinator.deliberation.types import Agenda, Deliberation
from boardroom.coordinator.errors import InvalidQuestion, LoraxDown, NotEnoughAnswers, QuestionRefused
from boardroom.coordinator.listener import Listener
from boardroom.engine.errors import SchemaRefused

_MODES = load()

NO_ENGINE = (
    "this board runs without LoRAX (spec.enableLorax is false) and has no standard inference: set it to true, or "
    "spec.standardInference"
)
SCHEMA_FIELD = "response_format.json_schema.schema"
NO_STANDARD = (
    "use_lorax=false asks for standard inference, and board {board!r} has none (spec.standardInference); leave "
    "use_lorax out"
)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request; `began` is a time of the event loop's clock."""

    request: AskRequest
    request_id: str
    began: float
    context: PromptContext = NO_CONTEXT
    listener: Listener | None = None


async def ask(question: Question, roster: Roster, attempts: Dispatcher) -> AskResponse:
    """The board's answer; raises ApiError. Every member that was chosen is named in either."""
    request = question.request
    if not request.use_lorax and attempts.standard is None:
        raise InvalidQuestion(NO_STANDARD.format(board=roster.board), field="use_lorax")
    agents = select(request, roster)
    mode = _mode(request, roster)
    if attempts.standard is None and attempts.lorax is None:
        raise NotEnoughAnswers(NO_ENGINE, members=[_unasked(agent) for agent in agents])
    if not agents:
        raise NotEnoughAnswers(
            f"board {roster.board!r} has no members: create a BoardAgent whose spec.boardroomRef.name is its name"
        )
    _check_schema(question, attempts)
    meeting = Session(attempts, _particulars(question, roster))
    agenda = Agenda(
        question=request.user_input,
        agents=agents,
        chair=roster.chair or min(agents, key=lambda agent: agent.name),
        rounds=request.rounds or roster.rounds,
        quorum_percent=roster.quorum_percent,
    )
    _enough_agents(request, mode, agenda)
    made = await _MODES[mode](meeting, agenda)
    spoke = answered(made.answers)
    if len(spoke) < request.min_successful:
        raise _too_few(made.answers, len(spoke), request.min_successful, attempts, meeting)
    return AskResponse(
        request_id=question.request_id,
        conv_id=request.conv_id,
        coordination_mode=mode,
        used_lorax=any(a.engine is EngineName.LORAX for a in spoke),
        execution_time=round(asyncio.get_running_loop().time() - question.began, 4),
        reply=made.reply or "\n\n".join(f"{a.role}: {a.text}" for a in spoke),
        chair=made.chair,
        agents_involved=[a.agent for a in spoke],
        answers=made.answers,
        batch=meeting.batches[0] if meeting.batches else None,
        batches=meeting.batches,
        rounds=made.rounds,
        decision=made.decision,
        usage=meeting.usage,
        warnings=[*question.context.notes, *meeting.warnings, *_warnings(made, roster)],
    )


def _check_schema(question: Question, attempts: Dispatcher) -> None:
    """Raises InvalidQuestion for a schema that an engine can't be sent; nobody is asked then."""
    if question.context.response_format is None:
        return
    try:
        attempts.check_schema(question.context.response_format, use_lorax=question.request.use_lorax)
    except SchemaRefused as refusal:
        field = ".".join(part for part in (SCHEMA_FIELD, refusal.path) if part)
        raise InvalidQuestion(f"{field}: {refusal.why}", field=field) from refusal


def _particulars(question: Question, roster: Roster) -> AskContext:
    request = question.request
    return AskContext(
        request_id=question.request_id,
        parameters=request.parameters,
        began=question.began,
        timeout=request.timeout or float(roster.timeout_seconds),
        context=question.context,
        use_lorax=request.use_lorax,
        max_concurrent=request.max_concurrent,
        skip_errors=request.on_error == "skip",
        listener=question.listener,
    )


def _mode(request: AskRequest, roster: Roster) -> CoordinationMode:
    mode = request.coordination_mode or roster.default_mode
    if request.rounds is not None and mode is not CoordinationMode.COLLABORATIVE:
        raise InvalidQuestion(f"rounds belong to mode collaborative, and this question is {mode}", field="rounds")
    return mode


def _unasked(agent: Agent) -> MemberProblem:
    return MemberProblem(agent=agent.name, role=agent.role, reason=NO_ENGINE)


def _enough_agents(request: AskRequest, mode: CoordinationMode, agenda: Agenda) -> None:
    """Raises InvalidQuestion where more answers are wanted than there can be."""
    names = {agent.name for agent in agenda.agents}
    asked = len(names | {agenda.chair.name} if mode is CoordinationMode.HIERARCHICAL else names)
    if request.min_successful > asked:
        raise InvalidQuestion(
            f"min_successful is {request.min_successful}, and {asked} members are asked", field="min_successful"
        )


def _too_few(
    answers: Sequence[MemberAnswer], spoke: int, wanted: int, attempts: Dispatcher, meeting: Session
) -> NotEnoughAnswers:
    members = reasons(answers)
    if not spoke and attempts.down:
        kind: type[NotEnoughAnswers] = LoraxDown
    elif not spoke and meeting.refused.issuperset(answer.agent for answer in answers):
        return QuestionRefused(f"the engine refuses this question as it stands: {in_short(members)}", members=members)
    else:
        kind = NotEnoughAnswers
    text = f"{spoke} of {len(answers)} members answered, and {wanted} must: {in_short(members)}"
    return kind(text, members=members)


def _warnings(made: Deliberation, roster: Roster) -> list[str]:
    """Who gave no answer, in the end or in a round, and a chair that is not the one in the spec or did not speak."""
    missing = [a for a in made.answers if a.status is not AnswerStatus.ANSWERED]
    warnings = [f"{a.role} ({a.agent}) is {a.status}: {a.reason}" for a in missing]
    spoke = {a.agent for a in answered(made.answers)}
    warnings += [
        f"{a.role} ({a.agent}) gave no answer in round {number}, its answer is of another: {a.reason}"
        for number, round_ in enumerate(made.rounds, start=1)
        for a in round_.answers
        if a.status is not AnswerStatus.ANSWERED and a.agent in spoke
    ]
    if made.chair and made.reply is None:
        warnings.append(f"{made.chair}, the chair, did not speak: the reply is the members' answers as they are")
    if made.chair and roster.chair_ref and made.chair != roster.chair_ref:
        warnings.append(f"{roster.chair_ref} (spec.deliberation.chairRef) is no member: {made.chair} chaired")
    return warnings
