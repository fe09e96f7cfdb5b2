"""One question's way to its members: submit together, wait until each one's deadline, and name everybody in the end."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from boardroom.api.ask import AnswerStatus, Batch, MemberAnswer, Parameters
from boardroom.coordinator import answers
from boardroom.coordinator.attempts import Attempts, Outcome
from boardroom.coordinator.parameters import settle
from boardroom.coordinator.roster import Member
from boardroom.coordinator.selection import Seat
from boardroom.engine.errors import EngineError
from boardroom.engine.protocol import Exchange, GenerationRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What the caller says to every member: below its system prompt, and what was said before."""

    system: str = ""
    history: tuple[Exchange, ...] = ()


NO_CONTEXT: Final = Context()


@dataclass(frozen=True, slots=True)
class Turn:
    """What is put to one member."""

    seat: Seat
    prompt: str
    response_format: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Submitted:
    member: Member
    limit: float
    """Seconds that the caller or the member gave; the deadline is when they are over."""
    deadline: float
    task: asyncio.Task[Outcome]


class Panel:
    """Asks members for one question, which `began` at a time of the event loop's clock and may take `timeout` s."""

    def __init__(
        self,
        attempts: Attempts,
        *,
        request_id: str,
        parameters: Parameters,
        began: float,
        timeout: float,
        context: Context = NO_CONTEXT,
    ) -> None:
        self._attempts = attempts
        self._timeout = timeout
        self._request_id = request_id
        self._parameters = parameters
        self._context = context
        self._deadline = began + timeout
        self._alone = asyncio.Lock()
        self.batch: Batch | None = None
        self.warnings: list[str] = []

    async def ask(self, turns: Sequence[Turn]) -> list[MemberAnswer]:
        """An answer for every turn, in their order. Two or more that can be asked are submitted as one batch.

        Returns by the deadline, whatever LoRAX does.
        """
        began = asyncio.get_running_loop().time()
        found: dict[str, MemberAnswer] = {}
        submitted: list[_Submitted] = []
        for turn in turns:
            seat = turn.seat
            why = self._why_not(seat)
            if isinstance(seat, Member) and why is None:
                submitted.append(self._submit(seat, turn, began))
            else:
                found[seat.name] = answers.missing(seat, AnswerStatus.ABSENT, why or "")
                self._attempts.metrics.answers.labels(AnswerStatus.ABSENT, "not_sent").inc()
        held = await self._gather(submitted)
        for one in submitted:
            found[one.member.name] = self._answer(one, began, held=one in held)
        self._note_batch([found[one.member.name] for one in submitted], began)
        return [found[turn.seat.name] for turn in turns]

    def _why_not(self, seat: Seat) -> str | None:
        if not isinstance(seat, Member):
            return f"{seat.reason}: {seat.message}"
        error = self._attempts.book.gate(seat.adapter_id) if seat.adapter_id else None
        return None if error is None else str(error)

    def _submit(self, member: Member, turn: Turn, began: float) -> _Submitted:
        limit, deadline = self._timeout, self._deadline
        if member.timeout_seconds is not None and began + member.timeout_seconds < deadline:
            limit, deadline = member.timeout_seconds, began + member.timeout_seconds
        request = self._request(member, turn)
        run = self._attempts.run(member, request, deadline, self._alone)
        return _Submitted(member, limit, deadline, asyncio.create_task(run))

    async def _gather(self, submitted: Sequence[_Submitted]) -> list[_Submitted]:
        """Wait for all, each until its own deadline; one timer for all of them, not one per member.

        Returns those that were still held at their deadline. Cancelling is safe: admission lets through only what
        goes to adapters that have answered (trap 5).
        """
        loop = asyncio.get_running_loop()
        pending = {one.task: one for one in submitted}
        held: list[_Submitted] = []
        try:
            while pending:
                first = min(one.deadline for one in pending.values())
                done, _ = await asyncio.wait(pending, timeout=max(0.0, first - loop.time()))
                for task in done:
                    del pending[task]
                for one in [p for p in pending.values() if p.deadline <= loop.time()]:
                    if one.task in self._attempts.held:
                        held.append(one)
                    pending.pop(one.task).task.cancel()
        finally:
            for task in pending:
                task.cancel()
        return held

    def _answer(self, one: _Submitted, began: float, *, held: bool) -> MemberAnswer:
        metrics = self._attempts.metrics
        if held or not one.task.done() or one.task.cancelled():
            metrics.answers.labels(AnswerStatus.FAILED, "held" if held else "timeout").inc()
            reason = f"timeout: no answer within {one.limit:g} s"
            if held:
                reason += "; LoRAX was still loading adapters, and nothing is sent meanwhile"
            return answers.missing(one.member, AnswerStatus.FAILED, reason, took_ms=1000 * (one.deadline - began))
        outcome = one.task.result()
        took = outcome.finished - began
        if isinstance(outcome.result, EngineError):
            answer = answers.broken(one.member, outcome.result, outcome.reason, took_ms=1000 * took)
            metrics.answers.labels(answer.status, outcome.result.code).inc()
            return answer
        metrics.answered(took, cold=outcome.cold_load)
        record = self._attempts.book[one.member.adapter_id] if one.member.adapter_id else None
        if record is not None and record.replaced:
            self.warnings.append(answers.replaced(one.member, record))
        return answers.answered(one.member, outcome.result, record, took_ms=1000 * took, cold_load=outcome.cold_load)

    def _request(self, member: Member, turn: Turn) -> GenerationRequest:
        """The question's parameters win over the member's own, within its limits."""
        settled = settle(self._parameters, member.generation)
        self.warnings += [f"{member.role} ({member.name}): {cut} (spec.generation.limits)" for cut in settled.cut]
        return GenerationRequest(
            request_id=f"{self._request_id}.{member.name}",
            system="\n\n".join(text for text in (member.system_prompt, self._context.system) if text),
            history=self._context.history,
            prompt=turn.prompt,
            adapter_id=member.adapter_id,
            max_new_tokens=settled.max_new_tokens,
            temperature=settled.temperature,
            top_p=settled.top_p,
            stop=settled.stop,
            seed=settled.seed,
            response_format=turn.response_format,
        )

    def _note_batch(self, submitted: Sequence[MemberAnswer], began: float) -> None:
        if len(submitted) <= 1:
            return
        wall = asyncio.get_running_loop().time() - began
        spoke = [a for a in submitted if a.status is AnswerStatus.ANSWERED]
        slowest = max(spoke, key=lambda a: a.latency_ms or 0.0, default=None)
        self.batch = Batch(
            size=len(submitted), wall_ms=round(1000 * wall, 1), slowest=slowest.agent if slowest else None
        )
        self._attempts.metrics.batch_size.observe(len(submitted))
        self._attempts.metrics.batch_seconds.observe(wall)
