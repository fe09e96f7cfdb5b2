"""The events of a streamed question."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import httpx
import orjson
from pydantic import ValidationError

from boardroom.api.ask import AskResponse, ErrorResponse
from boardroom.client.errors import bad_response, refused

EventName = Literal["member.started", "member.delta", "member.restarted", "member.done", "round.done", "result"]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of an answer's stream. The last event, `result`, has the board's `answer`.

    docs/reference/http-api.md describes `data`.
    """

    name: EventName
    data: dict[str, Any]
    answer: AskResponse | None = None

    @property
    def agent(self) -> str | None:
        """Name of the member that the event is about."""
        return self.data.get("agent")

    @property
    def role(self) -> str | None:
        """Role of that member."""
        return self.data.get("role")

    @property
    def text(self) -> str:
        """The next part of the answer in member.delta."""
        return self.data["text"] if self.name == "member.delta" else ""


class _Events:
    """Parses the chunks of a stream into events. Raises BoardroomError for the event `error`.

    Lines end with a line feed only: str.splitlines would also split at characters such as U+2028.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._rest = b""
        self._name = b""
        self._ended = False

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that the chunk completes."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            name, _, text = line.rstrip(b"\r").partition(b": ")
            if name == b"event":
                self._name = text
            elif name == b"data":
                yield self._event(text)

    def finish(self) -> None:
        """Raises BoardroomError if the stream ended without an answer."""
        if not self._ended:
            raise bad_response(self._response)

    def _event(self, text: bytes) -> Event:
        try:
            if self._name == b"error":
                raise refused(ErrorResponse.model_validate_json(text).error, self._response)
            data = orjson.loads(text)
            if self._name != b"result":
                return Event(cast("EventName", self._name.decode("utf-8", "replace")), data)
            self._ended = True
            return Event("result", data, AskResponse.model_validate_json(text))
        except (ValidationError, orjson.JSONDecodeError) as error:
            raise bad_response(self._response) from error


def read(response: httpx.Response) -> Iterator[Event]:
    """The events of a streamed response."""
    events = _Events(response)
    for piece in response.iter_bytes():
        yield from events.feed(piece)
    events.finish()


async def aread(response: httpx.Response) -> AsyncIterator[Event]:
    """The events of a streamed response, asynchronously."""
    events = _Events(response)
    async for piece in response.aiter_bytes():
        for event in events.feed(piece):
            yield event
    events.finish()
