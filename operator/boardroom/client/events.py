"""What happens while a board answers: the events of a streamed question."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import httpx
import orjson
from pydantic import ValidationError

from boardroom.api.ask import AskResponse, ErrorResponse
from boardroom.client.errors import not_ours, refused

EventName = Literal["member.started", "member.delta", "member.restarted", "member.done", "round.done", "result"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is as docs/coordinator.md has it, `answer` is the board's in the last event, `result`."""

    name: EventName
    data: dict[str, Any]
    answer: AskResponse | None = None

    @property
    def agent(self) -> str | None:
        """Whom it is about."""
        return self.data.get("agent")

    @property
    def role(self) -> str | None:
        """That member's role."""
        return self.data.get("role")

    @property
    def text(self) -> str:
        """More of what the member says, in member.delta."""
        return self.data["text"] if self.name == "member.delta" else ""


class _Lines:
    """Puts lines together to events; raises BoardroomError for the event `error`."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._name = ""
        self.ended = False

    def take(self, line: str) -> Event | None:
        if line.startswith("event: "):
            self._name = line.removeprefix("event: ")
        if not line.startswith("data: "):
            return None
        text = line.removeprefix("data: ")
        try:
            if self._name == "error":
                raise refused(ErrorResponse.model_validate_json(text).error, self._response)
            data = orjson.loads(text)
            if self._name != "result":
                return Event(cast("EventName", self._name), data)
            self.ended = True
            return Event("result", data, AskResponse.model_validate_json(text))
        except (ValidationError, orjson.JSONDecodeError) as error:
            raise not_ours(self._response) from error

    def finish(self) -> None:
        """Raise where the stream ended without an answer."""
        if not self.ended:
            raise not_ours(self._response)


def read(response: httpx.Response) -> Iterator[Event]:
    """The events of a response that streams."""
    lines = _Lines(response)
    for line in response.iter_lines():
        if (event := lines.take(line)) is not None:
            yield event
    lines.finish()


async def aread(response: httpx.Response) -> AsyncIterator[Event]:
    """The same."""
    lines = _Lines(response)
    async for line in response.aiter_lines():
        if (event := lines.take(line)) is not None:
            yield event
    lines.finish()
