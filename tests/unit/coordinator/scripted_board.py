"""A board whose members say what a test tells them, above the way to an engine: the rules of modes, fast and often."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from boardroom.api.ask import AskRequest
from boardroom.coordinator.backends.outcome import Outcome
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.deliberation.ask import deliberate
from boardroom.coordinator.deliberation.context import AskContext
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.response import AskResponse
from boardroom.engine.errors import InvalidRequest
from boardroom.engine.protocol import Generation, GenerationRequest
from boardroom.telemetry.tracing import OFF

Say = Callable[[str, int, GenerationRequest], str | None]
"""Member, how often it was asked before, and the request, to its text; None breaks."""


class ScriptedDispatcher:
    """Stands in for Dispatcher; `asked` holds every request in order, and `most_at_once` how many ran together."""

    def __init__(self, say: Say) -> None:
        self.metrics, self.tracer = Metrics(), OFF
        self.lorax = self
        self.standard = None
        self.down = False
        self.asked: list[tuple[str, GenerationRequest]] = []
        self.most_at_once = 0
        self._say = say
        self._at_once = 0

    def choose(self, members: Sequence[Member]) -> None:
        return None

    def unavailable_reason(self, member: Member, route: None, *, use_lorax: bool) -> str | None:
        return None

    def goes_to_lorax(self, member: Member, route: None, *, use_lorax: bool) -> bool:
        return True

    def hold_reason(self, task: asyncio.Task[Any]) -> str | None:
        return None

    async def run(
        self, member: Member, request: GenerationRequest, deadline: float, retry_lock: asyncio.Lock, **_: Any
    ) -> Outcome:
        count = len(self.prompts(member.name))
        self.asked.append((member.name, request))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        text = self._say(member.name, count, request)
        now = asyncio.get_running_loop().time()
        if text is None:
            error = InvalidRequest(f"{member.name} can not")
            return Outcome(error, now, reason=str(error))
        return Outcome(Generation(text=text, finish_reason="stop", prompt_tokens=3, completion_tokens=2), now)

    def prompts(self, member: str) -> list[str]:
        return [request.prompt for name, request in self.asked if name == member]


async def ask(
    names: Sequence[str],
    say: Say,
    *,
    roster: dict[str, Any] | None = None,
    made: list[ScriptedDispatcher] | None = None,
    **request: Any,
) -> tuple[AskResponse, ScriptedDispatcher]:
    """One question to a board of these members, who have no adapters; raises ApiError, and then `made` has what was
    asked.
    """
    dispatcher = ScriptedDispatcher(say)
    if made is not None:
        made.append(dispatcher)
    members = tuple(Member(name=name, role=name.upper()) for name in sorted(names))
    fields: dict[str, Any] = {"board": "executive", "members": members} | (roster or {})
    body = AskRequest.model_validate({"user_input": "And now?"} | request)
    board = Roster(**fields)
    context = AskContext(
        request=body,
        request_id="r1",
        began=asyncio.get_running_loop().time(),
        timeout=body.timeout or board.timeout_seconds,
    )
    return await deliberate(context, board, dispatcher), dispatcher  # type: ignore[arg-type]  # stands in for Dispatcher
