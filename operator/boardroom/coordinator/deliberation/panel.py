"""One question's way to its members: submit together, wait until each one's deadline, and name everybody in the end."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from boardroom.api.ask import AnswerStatus, EngineName
from boardroom.coordinator import spans
from boardroom.coordinator.backends.routes import LoraxRoute, Outcome
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation import answers
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.sampling import resolve
from boardroom.coordinator.deliberation.selection import Agent
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.response import Batch, MemberAnswer
from boardroom.engine.errors import EngineError, InvalidRequest
from boardroom.engine.protocol import GenerationRequest


class MemberPrompt(msgspec.Struct, frozen=True):
    """What is put to one member."""

    agent: Agent
    text: str
    response_format: Mapping[str, Any] | None = None


class _Submitted(msgspec.Struct, frozen=True):
    member: Member
    limit: float
    """Seconds that the caller or the member gave; the deadline is when they are over."""
    deadline: float
    lorax: bool
    """Whether it goes to LoRAX, and so may be part of a batch."""
    own_form: bool
    """Whether the mode itself asks for a form; its prompt says it too, and what has none is asked again."""
    task: asyncio.Task[Outcome]


class Panel:
    """Asks members once. That `began` at a time of the event loop's clock and may take `timeout` seconds."""

    def __init__(self, dispatcher: Dispatcher, context: AskContext, *, began: float, timeout: float) -> None:
        self._dispatcher = dispatcher
        self._context = context
        self._timeout = timeout
        self._deadline = began + timeout
        self._retry_lock = asyncio.Lock()
        self._route: LoraxRoute | None = None
        self.batch: Batch | None = None
        self.warnings: list[str] = []
        self.refused: set[str] = set()
        """Members whose engine refused the request as it stands."""

    async def ask(self, prompts: Sequence[MemberPrompt]) -> list[MemberAnswer]:
        """An answer for every prompt, in their order. Two or more that go to LoRAX are submitted as one batch.

        Returns by the deadline, whatever the engines do.
        """
        with spans.batch(self._dispatcher.tracer, len(prompts)) as span:
            found = await self._ask(prompts)
            if self.batch is not None:
                span.note({"boardroom.batch.size": self.batch.size, "boardroom.batch.slowest": self.batch.slowest})
        return found

    async def _ask(self, prompts: Sequence[MemberPrompt]) -> list[MemberAnswer]:
        began = asyncio.get_running_loop().time()
        found: dict[str, MemberAnswer] = {}
        submitted: list[_Submitted] = []
        self._route = self._dispatcher.choose([prompt.agent for prompt in prompts if isinstance(prompt.agent, Member)])
        for prompt in prompts:
            agent = prompt.agent
            why = self._unavailable_reason(agent)
            if isinstance(agent, Member) and why is None:
                submitted.append(self._submit(agent, prompt, began))
            else:
                found[agent.name] = self._heard(answers.missing(agent, AnswerStatus.ABSENT, why or ""))
                self._dispatcher.metrics.missing(agent.name, AnswerStatus.ABSENT, "not_sent")
        found |= await self._gather(submitted, began)
        self._note_batch([found[one.member.name] for one in submitted if one.lorax], began)
        return [found[prompt.agent.name] for prompt in prompts]

    def _unavailable_reason(self, agent: Agent) -> str | None:
        if not isinstance(agent, Member):
            return f"{agent.reason}: {agent.message}"
        return self._dispatcher.unavailable_reason(agent, self._route, use_lorax=self._context.use_lorax)

    def _heard(self, answer: MemberAnswer) -> MemberAnswer:
        if self._context.listener is not None:
            self._context.listener.done(answer)
        return answer

    def _submit(self, member: Member, prompt: MemberPrompt, began: float) -> _Submitted:
        limit, deadline = self._timeout, self._deadline
        if member.timeout_seconds is not None and began + member.timeout_seconds < deadline:
            limit, deadline = member.timeout_seconds, began + member.timeout_seconds
        request, use_lorax = self._request(member, prompt), self._context.use_lorax
        listener, stream = self._context.listener, None
        if listener is not None:
            listener.started(member.name, member.role)
            stream = MemberStream(listener, member.name)
        lorax = self._dispatcher.goes_to_lorax(member, self._route, use_lorax=use_lorax)
        task = asyncio.create_task(
            self._dispatcher.run(
                member, request, deadline, self._retry_lock, route=self._route, use_lorax=use_lorax, stream=stream
            )
        )
        if lorax and self._route is not None:
            self._route.tasks.add(task)
            task.add_done_callback(self._route.tasks.discard)
        return _Submitted(member, limit, deadline, lorax, prompt.response_format is not None, task)

    async def _gather(self, submitted: Sequence[_Submitted], began: float) -> dict[str, MemberAnswer]:
        """Wait for all, each until its own deadline; one timer for all of them, not one per member.

        Cancelling is safe: admission lets through only what goes to adapters that have answered (trap 5).
        """
        loop = asyncio.get_running_loop()
        pending = {one.task: one for one in submitted}
        found: dict[str, MemberAnswer] = {}
        try:
            while pending:
                first = min(one.deadline for one in pending.values())
                wait = asyncio.ALL_COMPLETED if self._context.listener is None else asyncio.FIRST_COMPLETED
                done, _ = await asyncio.wait(pending, timeout=max(0.0, first - loop.time()), return_when=wait)
                for task in done:
                    one = pending.pop(task)
                    found[one.member.name] = self._heard(self._answer(one, began))
                for one in [p for p in pending.values() if p.deadline <= loop.time()]:
                    held = self._dispatcher.hold_reason(one.task)
                    pending.pop(one.task).task.cancel()
                    found[one.member.name] = self._heard(self._late(one, began, held))
        finally:
            for task in pending:
                task.cancel()
        return found

    def _late(self, one: _Submitted, began: float, held: str | None) -> MemberAnswer:
        self._dispatcher.metrics.missing(one.member.name, AnswerStatus.FAILED, "held" if held else "timeout")
        reason = f"timeout: no answer within {one.limit:g} s"
        if held:
            reason += f"; {held}"
        return answers.missing(one.member, AnswerStatus.FAILED, reason, took_ms=1000 * (one.deadline - began))

    def _answer(self, one: _Submitted, began: float) -> MemberAnswer:
        metrics, outcome = self._dispatcher.metrics, one.task.result()
        took = outcome.finished - began
        if isinstance(outcome.result, EngineError):
            answer = answers.failure(one.member, outcome.result, outcome.reason, took_ms=1000 * took)
            metrics.missing(one.member.name, answer.status, outcome.result.code, outcome.engine)
            if outcome.result.code == InvalidRequest.code:
                self.refused.add(one.member.name)
            return answer
        spent = answers.usage(outcome.result)
        metrics.answered(one.member.name, outcome.engine, took, spent, cold=outcome.cold_load)
        if outcome.engine is EngineName.STANDARD:
            if outcome.fallback_reason:
                self.warnings.append(answers.fallback_warning(one.member, outcome.fallback_reason))
            self.warnings += answers.dropped_params_warnings(
                one.member, outcome.result.dropped_params, own_form=one.own_form
            )
        elif outcome.adapter is not None and outcome.adapter.digest is None:
            self.warnings.append(answers.no_digest_warning(one.member, outcome.adapter, outcome.no_digest_reason))
        return answers.success(one.member, outcome, outcome.result, spent, took_ms=1000 * took)

    def _request(self, member: Member, prompt: MemberPrompt) -> GenerationRequest:
        """The question's parameters win over the member's own, within its limits."""
        p, context = self._context, self._context.prompt
        resolved = resolve(p.parameters, member.generation)
        self.warnings += [f"{member.role} ({member.name}): {cut} (spec.generation.limits)" for cut in resolved.clamped]
        return GenerationRequest(
            request_id=f"{p.request_id}.{member.name}",
            system="\n\n".join(text for text in (member.system_prompt, context.system) if text),
            history=(*context.histories.get(member.name, ()), *context.history),
            prompt=prompt.text,
            adapter_id=member.adapter_id,
            max_new_tokens=resolved.max_new_tokens,
            temperature=resolved.temperature,
            top_p=resolved.top_p,
            stop=() if prompt.response_format else resolved.stop,  # the mode reads the answer: half of its form is none
            seed=resolved.seed,
            response_format=prompt.response_format or context.response_format,
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
        self._dispatcher.metrics.batch(len(submitted), wall, [(a.latency_ms or 0.0) / 1000 for a in spoke])
