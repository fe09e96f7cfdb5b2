"""deliberate: from a valid question to the board's answer."""

import asyncio
from collections.abc import Sequence

from boardroom.api.ask import AnswerStatus, AskRequest, CoordinationMode, EngineName, MemberProblem
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.modes.registry import load
from boardroom.coordinator.deliberation.selection import Agent, select
from boardroom.coordinator.deliberation.session import Session, member_problems, summarize, with_text
from boardroom.coordinator.deliberation.types import Agenda, Deliberation
from boardroom.coordinator.errors import InvalidQuestion, LoraxDown, NotEnoughAnswers, QuestionRefused
from boardroom.coordinator.response import AskResponse, MemberAnswer
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


async def deliberate(context: AskContext, roster: Roster, dispatcher: Dispatcher) -> AskResponse:
    """The board's answer; raises ApiError. Both name every member that was chosen."""
    request = context.request
    if not request.use_lorax and dispatcher.standard is None:
        raise InvalidQuestion(NO_STANDARD.format(board=roster.board), field="use_lorax")
    agents = select(request, roster)
    mode = _mode(request, roster)
    if dispatcher.standard is None and dispatcher.lorax is None:
        raise NotEnoughAnswers(NO_ENGINE, members=[_not_asked(agent) for agent in agents])
    if not agents:
        raise NotEnoughAnswers(
            f"board {roster.board!r} has no members: create a BoardAgent whose spec.boardroomRef.name is its name"
        )
    _check_schema(context, dispatcher)
    session = Session(dispatcher, context)
    agenda = Agenda(
        question=request.user_input,
        agents=agents,
        chair=roster.chair or min(agents, key=lambda agent: agent.name),
        rounds=request.rounds or roster.rounds,
        quorum_percent=roster.quorum_percent,
    )
    _check_min_successful(request, mode, agenda)
    deliberation = await _MODES[mode](session, agenda)
    answered = with_text(deliberation.answers)
    if len(answered) < request.min_successful:
        raise _too_few(deliberation.answers, len(answered), request.min_successful, dispatcher, session)
    return AskResponse(
        request_id=context.request_id,
        conv_id=request.conv_id,
        coordination_mode=mode,
        used_lorax=any(a.engine is EngineName.LORAX for a in answered),
        execution_time=round(asyncio.get_running_loop().time() - context.began, 4),
        reply=deliberation.reply or "\n\n".join(f"{a.role}: {a.text}" for a in answered),
        chair=deliberation.chair,
        agents_involved=[a.agent for a in answered],
        answers=deliberation.answers,
        batch=session.batches[0] if session.batches else None,
        batches=session.batches,
        rounds=deliberation.rounds,
        decision=deliberation.decision,
        usage=session.usage,
        warnings=[*context.prompt.notes, *session.warnings, *_warnings(deliberation, roster)],
    )


def _check_schema(context: AskContext, dispatcher: Dispatcher) -> None:
    """Raises InvalidQuestion for a schema that the engine can't be sent, before any member is asked."""
    if context.prompt.response_format is None:
        return
    try:
        dispatcher.check_schema(context.prompt.response_format, use_lorax=context.request.use_lorax)
    except SchemaRefused as refusal:
        field = ".".join(part for part in (SCHEMA_FIELD, refusal.path) if part)
        raise InvalidQuestion(f"{field}: {refusal.why}", field=field) from refusal


def _mode(request: AskRequest, roster: Roster) -> CoordinationMode:
    mode = request.coordination_mode or roster.default_mode
    if request.rounds is not None and mode is not CoordinationMode.COLLABORATIVE:
        raise InvalidQuestion(f"rounds belong to mode collaborative, and this question is {mode}", field="rounds")
    return mode


def _not_asked(agent: Agent) -> MemberProblem:
    return MemberProblem(agent=agent.name, role=agent.role, reason=NO_ENGINE)


def _check_min_successful(request: AskRequest, mode: CoordinationMode, agenda: Agenda) -> None:
    """Raises InvalidQuestion if min_successful is more than the members that are asked."""
    names = {agent.name for agent in agenda.agents}
    count = len(names | {agenda.chair.name} if mode is CoordinationMode.HIERARCHICAL else names)
    if request.min_successful > count:
        raise InvalidQuestion(
            f"min_successful is {request.min_successful}, and {count} members are asked: give at most {count}",
            field="min_successful",
        )


def _too_few(
    answers: Sequence[MemberAnswer], answered: int, required: int, dispatcher: Dispatcher, session: Session
) -> NotEnoughAnswers:
    members = member_problems(answers)
    if not answered and dispatcher.down:
        kind: type[NotEnoughAnswers] = LoraxDown
    elif not answered and session.refused.issuperset(answer.agent for answer in answers):
        return QuestionRefused(f"the engine refuses this question as it stands: {summarize(members)}", members=members)
    else:
        kind = NotEnoughAnswers
    text = f"{answered} of {len(answers)} members answered, and {required} must: {summarize(members)}"
    return kind(text, members=members)


def _warnings(deliberation: Deliberation, roster: Roster) -> list[str]:
    """Members without an answer, in the end or in a round; a chair that the spec does not name, or that is silent."""
    missing = [a for a in deliberation.answers if a.status is not AnswerStatus.ANSWERED]
    warnings = [f"{a.role} ({a.agent}) is {a.status}: {a.reason}" for a in missing]
    answered = {a.agent for a in with_text(deliberation.answers)}
    warnings += [
        f"{a.role} ({a.agent}) gave no answer in round {number}, its answer is of another: {a.reason}"
        for number, round_ in enumerate(deliberation.rounds, start=1)
        for a in round_.answers
        if a.status is not AnswerStatus.ANSWERED and a.agent in answered
    ]
    chair = deliberation.chair
    if chair and deliberation.reply is None:
        warnings.append(f"{chair}, the chair, did not speak: the reply is the members' answers as they are")
    if chair and roster.chair_ref and chair != roster.chair_ref:
        warnings.append(f"{roster.chair_ref} (spec.deliberation.chairRef) is no member: {chair} chaired")
    return warnings
