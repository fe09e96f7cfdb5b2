"""A batch of a question: submits the members together, waits until each deadline, and gives every member an answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from boardroom.api.ask import AnswerStatus, EngineName
from boardroom.coordinator import spans
from boardroom.coordinator.backends.outcome import Outcome
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation import answers
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.sampling import resolve
from boardroom.coordinator.deliberation.selection import Agent
from boardroom.coordinator.errors import ApiError
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.response import Batch, MemberAnswer
from boardroom.engine.errors import EngineError, InvalidRequest
from boardroom.engine.protocol import GenerationRequest


class MemberPrompt(msgspec.Struct, frozen=True):
    """The prompt for a member."""

    agent: Agent
    text: str
    response_format: Mapping[str, Any] | None = None


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """An answer for every prompt, in their order. `batch` is there if two or more members were sent to LoRAX."""

    answers: list[MemberAnswer]
    batch: Batch | None
    warnings: list[str]
    refused: set[str]
    """Members whose engine refused the request as it stands."""


async def ask_batch(
    dispatcher: Dispatcher, context: AskContext, prompts: Sequence[MemberPrompt], *, began: float, timeout: float
) -> BatchResult:
    """Ask the members of all prompts at once. The members that go to LoRAX form a batch there.

    `began` is a time of the event loop's clock. The call returns at the latest `timeout` seconds after it, even if an
    engine hangs: the result names a member that has not answered by then, with the reason.
    """
    panel = _Panel(dispatcher, context, prompts, began=began, timeout=timeout)
    with spans.batch(dispatcher.tracer, len(prompts)) as span:
        await panel.run()
        result = panel.result()
        if result.batch is not None:
            span.note({"boardroom.batch.size": result.batch.size, "boardroom.batch.slowest": result.batch.slowest})
    return result


class _Run(msgspec.Struct, frozen=True):
    """A member that was submitted."""

    member: Member
    limit: float
    """The time limit in seconds, from the caller or the member; the deadline is its end."""
    deadline: float
    is_lorax: bool
    """Whether the run goes to LoRAX, and so may be part of a batch."""
    has_own_form: bool
    """Whether the mode asks for a form. Its prompt says so too, and the mode asks again if an answer lacks the form."""
    task: asyncio.Task[Outcome]


class _Panel:
    """The state of one call of ask_batch."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        context: AskContext,
        prompts: Sequence[MemberPrompt],
        *,
        began: float,
        timeout: float,
    ) -> None:
        self._dispatcher = dispatcher
        self._metrics = dispatcher.metrics
        self._context = context
        self._prompts = prompts
        self._timeout = timeout
        self._deadline = began + timeout
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._use_lorax = context.request.use_lorax
        self._route = dispatcher.choose([p.agent for p in prompts if isinstance(p.agent, Member)])
        self._retry_lock = asyncio.Lock()
        self._runs: dict[asyncio.Task[Outcome], _Run] = {}
        """Runs that have neither ended nor met their deadline."""
        self._all_done: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._answers: dict[str, MemberAnswer] = {}
        self._lorax_members: list[str] = []
        self._warnings: list[str] = []
        self._refused: set[str] = set()

    async def run(self) -> None:
        """Submit every member, and wait for each until its own deadline, with one timer for all.

        To cancel a run is safe: admission lets through only what goes to adapters that have answered (disconnect abort,
        docs/lorax.md).
        """
        for prompt in self._prompts:
            self._submit(prompt)
        if not self._runs:
            return
        self._start_timer()
        try:
            await self._all_done
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for task in self._runs:
                task.cancel()
            self._runs = {}

    def result(self) -> BatchResult:
        """The result of the batch, after `run` has returned."""
        return BatchResult(
            answers=[self._answers[prompt.agent.name] for prompt in self._prompts],
            batch=self._batch(),
            warnings=self._warnings,
            refused=self._refused,
        )

    def _submit(self, prompt: MemberPrompt) -> None:
        agent, context, dispatcher, route = prompt.agent, self._context, self._dispatcher, self._route
        if not isinstance(agent, Member):
            self._not_sent(agent, f"{agent.reason}: {agent.message}")
            return
        reason = dispatcher.unavailable_reason(agent, route, use_lorax=self._use_lorax)
        if reason is not None:
            self._not_sent(agent, reason)
            return
        limit, deadline = self._timeout, self._deadline
        if agent.timeout_seconds is not None and self._started + agent.timeout_seconds < deadline:
            limit, deadline = agent.timeout_seconds, self._started + agent.timeout_seconds
        stream = None
        if context.listener is not None:
            context.listener.started(agent.name, agent.role)
            stream = MemberStream(context.listener, agent.name)
        is_lorax = dispatcher.goes_to_lorax(agent, route, use_lorax=self._use_lorax)
        if is_lorax:
            self._lorax_members.append(agent.name)
        task = self._loop.create_task(
            dispatcher.run(
                agent, self._request(agent, prompt), deadline, self._retry_lock,
                route=route, use_lorax=self._use_lorax, stream=stream,
            )
        )  # fmt: skip
        self._runs[task] = _Run(agent, limit, deadline, is_lorax, prompt.response_format is not None, task)
        if is_lorax and route is not None:
            route.tasks.add(task)
        task.add_done_callback(self._ended)

    def _not_sent(self, agent: Agent, reason: str) -> None:
        self._metrics.missing(agent.name, AnswerStatus.ABSENT, "not_sent")
        self._add(answers.missing(agent, AnswerStatus.ABSENT, reason))

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        """A run has ended. A run that met its deadline before has its answer already."""
        if self._route is not None:
            self._route.tasks.discard(task)
        run = self._runs.pop(task, None)
        if run is None:
            return
        try:
            self._add(self._answer(run, task.result()))
        except BaseException as error:  # noqa: BLE001 (the caller of the batch gets it)
            self._end(error)
        if not self._runs:
            self._end()

    def _start_timer(self) -> None:
        self._timer = self._loop.call_at(min(run.deadline for run in self._runs.values()), self._end_late)

    def _end_late(self) -> None:
        """Give an answer to the members that have no time left, and wait on for the others."""
        now = self._loop.time()
        try:
            for run in [run for run in self._runs.values() if run.deadline <= now]:
                hold_reason = self._dispatcher.hold_reason(run.task)
                self._runs.pop(run.task).task.cancel()
                self._add(self._late(run, hold_reason))
        except ApiError as error:  # a listener's: what was streamed can't be taken back
            self._end(error)
        if self._runs:
            self._start_timer()
        else:
            self._end()

    def _end(self, error: BaseException | None = None) -> None:
        """Let `run` return, or raise the first error."""
        if self._all_done.done():
            return
        if error is None:
            self._all_done.set_result(None)
        else:
            self._all_done.set_exception(error)

    def _add(self, answer: MemberAnswer) -> None:
        self._answers[answer.agent] = answer
        if self._context.listener is not None:
            self._context.listener.done(answer)

    def _late(self, run: _Run, hold_reason: str | None) -> MemberAnswer:
        self._metrics.missing(run.member.name, AnswerStatus.FAILED, "held" if hold_reason else "timeout")
        reason = f"timeout: no answer within {run.limit:g} s"
        if hold_reason:
            reason += f"; {hold_reason}"
        return answers.missing(run.member, AnswerStatus.FAILED, reason, took_ms=1000 * (run.deadline - self._started))

    def _answer(self, run: _Run, outcome: Outcome) -> MemberAnswer:
        member, result = run.member, outcome.result
        seconds = outcome.finished - self._started
        if isinstance(result, EngineError):
            answer = answers.failure(member, result, outcome.reason, took_ms=1000 * seconds)
            self._metrics.missing(member.name, answer.status, result.code, outcome.engine)
            if result.code == InvalidRequest.code:
                self._refused.add(member.name)
            return answer
        usage = answers.usage(result)
        self._metrics.answered(member.name, outcome.engine, seconds, usage, cold=outcome.cold_load)
        if outcome.engine is EngineName.STANDARD:
            if outcome.fallback_reason:
                self._warnings.append(answers.fallback_warning(member, outcome.fallback_reason))
            self._warnings += answers.dropped_params_warnings(member, result.dropped_params, own_form=run.has_own_form)
        elif outcome.adapter is not None and outcome.adapter.digest is None:
            self._warnings.append(answers.no_digest_warning(member, outcome.adapter, outcome.no_digest_reason))
        return answers.success(member, outcome, result, usage, took_ms=1000 * seconds)

    def _request(self, member: Member, prompt: MemberPrompt) -> GenerationRequest:
        """The question's parameters win over the member's own, within its limits."""
        context, shared = self._context, self._context.prompt
        sampling = resolve(context.request.parameters, member.generation)
        for clamped in sampling.clamped:
            self._warnings.append(f"{member.role} ({member.name}): {clamped} (spec.generation.limits)")
        return GenerationRequest(
            request_id=f"{context.request_id}.{member.name}",
            system="\n\n".join(text for text in (member.system_prompt, shared.system) if text),
            history=(*shared.histories.get(member.name, ()), *shared.history),
            prompt=prompt.text,
            adapter_id=member.adapter_id,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            stop=() if prompt.response_format else sampling.stop,  # the mode reads the answer: half of its form is none
            seed=sampling.seed,
            response_format=prompt.response_format or shared.response_format,
        )

    def _batch(self) -> Batch | None:
        if len(self._lorax_members) <= 1:
            return None
        seconds = self._loop.time() - self._started
        submitted = [self._answers[name] for name in self._lorax_members]
        answered = [answer for answer in submitted if answer.status is AnswerStatus.ANSWERED]
        slowest = max(answered, key=lambda answer: answer.latency_ms or 0.0, default=None)
        self._metrics.batch(len(submitted), seconds, [(answer.latency_ms or 0.0) / 1000 for answer in answered])
        return Batch(size=len(submitted), wall_ms=round(1000 * seconds, 1), slowest=slowest.agent if slowest else None)
