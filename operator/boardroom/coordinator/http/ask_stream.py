"""POST /v1/ask as a stream of events: what each member says as it says it, and the whole answer last."""

from typing import Any

import msgspec
import orjson

from boardroom.coordinator.errors import ApiError
from boardroom.coordinator.http.sse import EventBuffer
from boardroom.coordinator.response import AskResponse, MemberAnswer, encode


class AskStream:
    """A Listener that writes events: member.started, .delta, .restarted, .done, round.done; then result or error."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer
        self._round = 1
        self._roles: dict[str, str] = {}

    def started(self, agent: str, role: str) -> None:
        self._roles[agent] = role
        self._put("member.started", {"agent": agent, "role": role, "round": self._round})

    def delta(self, agent: str, text: str) -> None:
        self._put("member.delta", {"agent": agent, "role": self._roles[agent], "round": self._round, "text": text})

    def restarted(self, agent: str, reason: str) -> None:
        event = {"agent": agent, "role": self._roles[agent], "round": self._round, "reason": reason}
        self._put("member.restarted", event)

    def done(self, answer: MemberAnswer) -> None:
        self._put("member.done", msgspec.to_builtins(answer) | {"round": self._round})

    def round_done(self, answers: list[MemberAnswer]) -> None:
        statuses = {answer.agent: answer.status for answer in answers}
        self._put("round.done", {"round": self._round, "members": statuses})
        self._round += 1

    def finish(self, answer: AskResponse) -> None:
        """Write the whole answer, as the route gives it without a stream, and end the stream."""
        self._buffer.put(b"event: result\ndata: " + encode(answer) + b"\n\n")
        self._buffer.close()

    def fail(self, problem: ApiError) -> None:
        """Write the error, in the API's shape, and end the stream."""
        self._buffer.put(b"event: error\ndata: " + problem.body() + b"\n\n")
        self._buffer.close()

    def _put(self, name: str, data: dict[str, Any]) -> None:
        self._buffer.put(b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n")
