"""One question's meeting: a mode asks through it as often as it needs; it shares out the time and keeps the minutes."""

import asyncio
import math
from collections.abc import Sequence

from boardroom.api.ask import AnswerStatus, Batch, MemberAnswer, Parameters, Usage
from boardroom.coordinator.attempts import Attempts
from boardroom.coordinator.panel import Panel, Turn


class Meeting:
    """For one question, which `began` at a time of the event loop's clock and may take `timeout` seconds."""

    def __init__(
        self, attempts: Attempts, *, request_id: str, parameters: Parameters, began: float, timeout: float
    ) -> None:
        self._attempts = attempts
        self._request_id = request_id
        self._parameters = parameters
        self._began = began
        self._timeout = timeout
        self.batches: list[Batch] = []
        self.warnings: list[str] = []
        self.usage = Usage()

    async def ask(self, turns: Sequence[Turn], *, steps: int = 1) -> list[MemberAnswer]:
        """An answer for every turn, in their order. Two or more that can be asked are submitted as one batch.

        `steps`: how many times the mode will ask from here on, this time included. Each gets its even share of the
        time that is left, so that a member that hangs leaves some to those who come after it.
        """
        began, timeout = self._share(steps)
        panel = Panel(
            self._attempts, request_id=self._request_id, parameters=self._parameters, began=began, timeout=timeout
        )
        answers = await panel.ask(turns)
        self.batches += [panel.batch] if panel.batch else []
        self.warnings += [w for w in panel.warnings if w not in self.warnings]
        self.usage = total([self.usage, *(a.usage for a in answers if a.usage)])
        return answers

    def _share(self, steps: int) -> tuple[float, float]:
        """When this step's time began, and how long it is in seconds; the last step has the question's own."""
        if steps == 1:
            return self._began, self._timeout
        now = asyncio.get_running_loop().time()
        share = (self._began + self._timeout - now) / steps
        return now, math.floor(1000 * share) / 1000


def total(usages: Sequence[Usage]) -> Usage:
    """The sum."""
    prompt = sum(u.prompt_tokens for u in usages)
    completion = sum(u.completion_tokens for u in usages)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def answered(answers: Sequence[MemberAnswer]) -> list[MemberAnswer]:
    """Those with a text."""
    return [a for a in answers if a.status is AnswerStatus.ANSWERED]
