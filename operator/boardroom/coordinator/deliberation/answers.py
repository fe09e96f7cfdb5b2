"""From a member's outcome to its answer in the API, and to warnings. Pure."""

from collections.abc import Sequence
from typing import Final

from boardroom.api.ask import AnswerStatus
from boardroom.coordinator.backends.outcome import Outcome
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation.selection import Agent
from boardroom.coordinator.response import AdapterIdentity, MemberAnswer, Usage
from boardroom.engine.errors import AdapterFailed, EngineError, Unreachable
from boardroom.engine.protocol import Generation

ABSENT_ERRORS: Final = (AdapterFailed, Unreachable)
"""Errors by which a member is absent: it could not be asked. With any other error it failed."""
_NOT_SAMPLING: Final = ("response_format", "stream_options")


def success(member: Member, outcome: Outcome, generation: Generation, tokens: Usage, *, took_ms: float) -> MemberAnswer:
    """The answer of a member that gave a text."""
    return MemberAnswer(
        agent=member.name,
        role=member.role,
        status=AnswerStatus.ANSWERED,
        text=generation.text,
        engine=outcome.engine,
        replica=outcome.replica,
        adapter=outcome.adapter,
        finish_reason=generation.finish_reason,
        usage=tokens,
        latency_ms=round(took_ms, 1),
        cold_load=outcome.cold_load if outcome.adapter else None,
    )


def usage(generation: Generation) -> Usage:
    """The tokens of a generation."""
    return Usage(
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        total_tokens=generation.prompt_tokens + generation.completion_tokens,
    )


def failure(member: Member, error: EngineError, reason: str, *, took_ms: float) -> MemberAnswer:
    """The answer of a member whose engine raised an error."""
    status = AnswerStatus.ABSENT if isinstance(error, ABSENT_ERRORS) else AnswerStatus.FAILED
    return missing(member, status, reason, took_ms=took_ms)


def missing(agent: Agent, status: AnswerStatus, reason: str, *, took_ms: float | None = None) -> MemberAnswer:
    """The answer of a member without a text. The answer names the adapter that was to answer."""
    path = agent.adapter_id if isinstance(agent, Member) else None
    return MemberAnswer(
        agent=agent.name,
        role=agent.role,
        status=status,
        reason=reason,
        latency_ms=None if took_ms is None else round(took_ms, 1),
        adapter=AdapterIdentity(path=path, digest=None) if path else None,
    )


def fallback_warning(member: Member, why: str) -> str:
    """The warning that standard inference answered without the member's adapter."""
    return f"{member.role} ({member.name}) answered by standard inference, without its adapter: {why}"


def dropped_params_warnings(member: Member, fields: Sequence[str], *, own_form: bool) -> list[str]:
    """The warnings about parameters that standard inference's model does not take. `own_form`: the mode asked for a
    response format, not the caller.
    """
    who = f"{member.role} ({member.name})"
    sampling = [field for field in fields if field not in _NOT_SAMPLING]
    warnings = [f"{who}: standard inference's model takes no {' or '.join(sampling)}: left out"] if sampling else []
    if "response_format" in fields and not own_form:
        warnings.append(
            f"{who}: standard inference does not hold its model to response_format: see that the text fits it"
        )
    if "stream_options" in fields:
        warnings.append(f"{who}: standard inference does not count the tokens of a stream: they are not in usage")
    return warnings


def no_digest_warning(member: Member, adapter: AdapterIdentity, why: str) -> str:
    """The warning that the weights of an answer can't be known, although their path is."""
    return f"{member.role} ({member.name}): the files at {adapter.path} {why}"
