"""One question's meeting: a mode asks through it as often as it needs; it shares out the time and keeps the minutes."""

import asyncio
import math
from collections.abc import Sequence

from boardroom.api.ask import AnswerStatus, MemberProblem
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.panel import MemberPrompt, Panel
from boardroom.coordinator.errors import MemberFailed
from boardroom.coordinator.response import Batch, MemberAnswer, Usage


class Session:
    """For one question."""

    def __init__(self, dispatcher: Dispatcher, context: AskContext) -> None:
        self._dispatcher = dispatcher
        self._context = context
        self.batches: list[Batch] = []
        self.warnings: list[str] = []
        self.usage = Usage()
        self.refused: set[str] = set()
        """Members whose engine refused a request as it stands."""

    async def round(self, prompts: Sequence[MemberPrompt], *, steps: int = 1) -> list[MemberAnswer]:
        """An answer for every prompt, in their order. They go as one batch, or as several of `max_concurrent` members.

        Raises MemberFailed.

        `steps`: how many times the mode will ask from here on, this time included. Each batch gets its even share of
        the time that is left, so that a member that hangs leaves some to those who come after it.
        """
        size = self._context.max_concurrent or len(prompts) or 1
        batches = [prompts[at : at + size] for at in range(0, len(prompts), size)]
        answers: list[MemberAnswer] = []
        for done, batch in enumerate(batches):
            answers += await self._batch(batch, steps * len(batches) - done)
        if self._context.listener is not None:
            self._context.listener.round_done(answers)
        return answers

    async def _batch(self, prompts: Sequence[MemberPrompt], left: int) -> list[MemberAnswer]:
        """One batch; with it, `left` are to come."""
        began, timeout = self._time_share(left)
        panel = Panel(self._dispatcher, self._context, began=began, timeout=timeout)
        answers = await panel.ask(prompts)
        self.batches += [panel.batch] if panel.batch else []
        self.warnings += [w for w in panel.warnings if w not in self.warnings]
        self.usage = total_usage([self.usage, *(a.usage for a in answers if a.usage)])
        self.refused |= panel.refused
        if not self._context.skip_errors and len(with_text(answers)) < len(answers):
            missing = member_problems(answers)
            raise MemberFailed(
                f"on_error is fail, and not every member that was asked answered: {summarize(missing)}", members=missing
            )
        return answers

    def _time_share(self, left: int) -> tuple[float, float]:
        """When this batch's time began, and how long it is in seconds; the last one has the question's own."""
        began, timeout = self._context.began, self._context.timeout
        if left == 1:
            return began, timeout
        now = asyncio.get_running_loop().time()
        share = (began + timeout - now) / left
        return now, math.floor(1000 * share) / 1000


def total_usage(usages: Sequence[Usage]) -> Usage:
    """The sum."""
    prompt = sum(u.prompt_tokens for u in usages)
    completion = sum(u.completion_tokens for u in usages)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def member_problems(answers: Sequence[MemberAnswer]) -> list[MemberProblem]:
    """Why those without a text have none."""
    return [
        MemberProblem(agent=a.agent, role=a.role, reason=a.reason or "")
        for a in answers
        if a.status is not AnswerStatus.ANSWERED
    ]


def summarize(missing: Sequence[MemberProblem]) -> str:
    """The first reason, and how many more there are: of an error many clients show the message alone."""
    first, *others = missing
    more = f" (and {len(others)} more, each with its reason in members)" if others else ""
    return f"{first.role} ({first.agent}): {first.reason}{more}"


def with_text(answers: Sequence[MemberAnswer]) -> list[MemberAnswer]:
    """Those with a text."""
    return [a for a in answers if a.status is AnswerStatus.ANSWERED]
