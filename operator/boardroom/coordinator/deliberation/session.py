"""One question's meeting: a mode asks through it as often as it needs; it shares out the time and keeps the minutes."""

import asyncio
import math
from collections.abc import Sequence

from boardroom.api.ask import AnswerStatus, Batch, MemberAnswer, MemberProblem, Usage
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.deliberation.dispatch import Dispatcher
from boardroom.coordinator.deliberation.panel import MemberPrompt, Panel
from boardroom.coordinator.errors import MemberFailed


class Session:
    """For one question."""

    def __init__(self, attempts: Dispatcher, particulars: AskContext) -> None:
        self._attempts = attempts
        self._particulars = particulars
        self.batches: list[Batch] = []
        self.warnings: list[str] = []
        self.usage = Usage()
        self.refused: set[str] = set()
        """Members whose engine refused a request as it stands."""

    async def ask(self, turns: Sequence[MemberPrompt], *, steps: int = 1) -> list[MemberAnswer]:
        """An answer for every turn, in their order; as one batch, or several of `max_concurrent`. Raises MemberFailed.

        `steps`: how many times the mode will ask from here on, this time included. Each batch gets its even share of
        the time that is left, so that a member that hangs leaves some to those who come after it.
        """
        size = self._particulars.max_concurrent or len(turns) or 1
        batches = [turns[at : at + size] for at in range(0, len(turns), size)]
        answers: list[MemberAnswer] = []
        for done, batch in enumerate(batches):
            answers += await self._batch(batch, steps * len(batches) - done)
        if self._particulars.listener is not None:
            self._particulars.listener.round_done(answers)
        return answers

    async def _batch(self, turns: Sequence[MemberPrompt], left: int) -> list[MemberAnswer]:
        """One batch; with it, `left` are to come."""
        began, timeout = self._share(left)
        panel = Panel(self._attempts, self._particulars, began=began, timeout=timeout)
        answers = await panel.ask(turns)
        self.batches += [panel.batch] if panel.batch else []
        self.warnings += [w for w in panel.warnings if w not in self.warnings]
        self.usage = total([self.usage, *(a.usage for a in answers if a.usage)])
        self.refused |= panel.refused
        if not self._particulars.skip_errors and len(answered(answers)) < len(answers):
            missing = reasons(answers)
            raise MemberFailed(
                f"on_error is fail, and not every member that was asked answered: {in_short(missing)}", members=missing
            )
        return answers

    def _share(self, left: int) -> tuple[float, float]:
        """When this batch's time began, and how long it is in seconds; the last one has the question's own."""
        began, timeout = self._particulars.began, self._particulars.timeout
        if left == 1:
            return began, timeout
        now = asyncio.get_running_loop().time()
        share = (began + timeout - now) / left
        return now, math.floor(1000 * share) / 1000


def total(usages: Sequence[Usage]) -> Usage:
    """The sum."""
    prompt = sum(u.prompt_tokens for u in usages)
    completion = sum(u.completion_tokens for u in usages)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def reasons(answers: Sequence[MemberAnswer]) -> list[MemberProblem]:
    """Why those without a text have none."""
    return [
        MemberProblem(agent=a.agent, role=a.role, reason=a.reason or "")
        for a in answers
        if a.status is not AnswerStatus.ANSWERED
    ]


def in_short(missing: Sequence[MemberProblem]) -> str:
    """The first reason, and how many more there are: of an error many clients show the message alone."""
    first, *others = missing
    more = f" (and {len(others)} more, each with its reason in members)" if others else ""
    return f"{first.role} ({first.agent}): {first.reason}{more}"


def answered(answers: Sequence[MemberAnswer]) -> list[MemberAnswer]:
    """Those with a text."""
    return [a for a in answers if a.status is AnswerStatus.ANSWERED]
