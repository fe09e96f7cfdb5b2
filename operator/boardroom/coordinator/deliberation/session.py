"""The session of a question: a mode asks rounds through it. The session divides the time and adds up the results."""

import asyncio
import math
from collections.abc import Sequence

from boardroom.api.ask import AnswerStatus, MemberProblem
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.panel import BatchResult, MemberPrompt, ask_batch
from boardroom.coordinator.errors import MemberFailed
from boardroom.coordinator.response import Batch, MemberAnswer, Usage


class Session:
    """Asks the rounds of a question; holds its batches, usage and warnings."""

    def __init__(self, dispatcher: Dispatcher, context: AskContext) -> None:
        self._dispatcher = dispatcher
        self._context = context
        self.batches: list[Batch] = []
        self.warnings: list[str] = []
        self.usage = Usage()
        self.refused: set[str] = set()
        """Members whose engine refused a request as it stands."""

    async def round(self, prompts: Sequence[MemberPrompt], *, steps: int = 1) -> list[MemberAnswer]:
        """An answer for every prompt, in their order. Members are asked in batches of at most `max_concurrent`.

        Raises MemberFailed. `steps` is the number of rounds that the mode still asks, this one included. Each batch
        gets an even share of the time that is left, so that a member that hangs leaves time to later members.
        """
        context = self._context
        size = context.request.max_concurrent or len(prompts) or 1
        batches = [prompts[at : at + size] for at in range(0, len(prompts), size)]
        answers: list[MemberAnswer] = []
        for done, batch in enumerate(batches):
            began, timeout = self._time_share(steps * len(batches) - done)
            result = await ask_batch(self._dispatcher, context, batch, began=began, timeout=timeout)
            self._record(result)
            answers += result.answers
        if context.listener is not None:
            context.listener.round_done(answers)
        return answers

    def _record(self, result: BatchResult) -> None:
        """Add up the result of a batch; raises MemberFailed if the question allows no missing answer."""
        if result.batch is not None:
            self.batches.append(result.batch)
        self.warnings += [warning for warning in result.warnings if warning not in self.warnings]
        self.usage = total_usage([self.usage, *(answer.usage for answer in result.answers if answer.usage)])
        self.refused |= result.refused
        if self._context.request.on_error == "skip":
            return
        missing = member_problems(result.answers)
        if missing:
            raise MemberFailed(
                f"on_error is fail, and not every member that was asked answered: {summarize(missing)}", members=missing
            )

    def _time_share(self, batches: int) -> tuple[float, float]:
        """The start and length (seconds) of this batch's time, if `batches` are left, this one included. The last batch
        has the question's own time.
        """
        began, timeout = self._context.began, self._context.timeout
        if batches == 1:
            return began, timeout
        now = asyncio.get_running_loop().time()
        share = (began + timeout - now) / batches
        return now, math.floor(1000 * share) / 1000


def total_usage(usages: Sequence[Usage]) -> Usage:
    """The sum of token counts."""
    prompt = sum(u.prompt_tokens for u in usages)
    completion = sum(u.completion_tokens for u in usages)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def member_problems(answers: Sequence[MemberAnswer]) -> list[MemberProblem]:
    """The reasons of the answers without a text."""
    return [
        MemberProblem(agent=a.agent, role=a.role, reason=a.reason or "")
        for a in answers
        if a.status is not AnswerStatus.ANSWERED
    ]


def summarize(missing: Sequence[MemberProblem]) -> str:
    """The first reason, and the number of others: many clients show only the message of an error."""
    first, *others = missing
    more = f" (and {len(others)} more, each with its reason in members)" if others else ""
    return f"{first.role} ({first.agent}): {first.reason}{more}"


def with_text(answers: Sequence[MemberAnswer]) -> list[MemberAnswer]:
    """The answers with a text."""
    return [a for a in answers if a.status is AnswerStatus.ANSWERED]
