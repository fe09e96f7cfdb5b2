"""/v1/chat/completions as a stream. The pieces add up to exactly the content of the whole completion.

OpenAI's streams can't take back a word. So several members are laid out one after another under their roles, the
later ones kept until their turn; and a member that breaks off after some of its text was sent ends it with an error.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import orjson

from boardroom.api.ask import AnswerStatus, CoordinationMode
from boardroom.api.chat import ChatRequest
from boardroom.coordinator.errors import ApiError, BrokenStream
from boardroom.coordinator.http import openai
from boardroom.coordinator.http.sse import EventBuffer
from boardroom.coordinator.response import AskResponse, MemberAnswer

_LIVE_ROUND: Final = {
    CoordinationMode.PARALLEL: 0,
    CoordinationMode.SEQUENTIAL: 0,
    CoordinationMode.HIERARCHICAL: 1,
}
"""The round from which on members' texts are the reply. Other modes make the reply at the end."""


class ChatWriter:
    """Writes the events of one completion; a ChatStream writes each choice through it."""

    def __init__(self, buffer: EventBuffer, chat: ChatRequest, request_id: str) -> None:
        self._buffer = buffer
        self._with_usage = chat.wants_usage
        self._head = {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": chat.model,
        }

    def choice(self, index: int, delta: dict[str, str], finish_reason: str | None = None, **more: Any) -> None:
        """Write a piece of one choice."""
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        self._put(self._head | {"choices": [choice]} | ({"usage": None} if self._with_usage else {}) | more)

    def finish(self, answers: Sequence[AskResponse]) -> None:
        """Write the usage, if the client asked for it, and the end."""
        if self._with_usage:
            self._put(self._head | {"choices": [], "usage": openai.usage(answers)})
        self._buffer.put(b"data: [DONE]\n\n")

    def fail(self, problem: ApiError) -> None:
        """Write the error that ends the stream; OpenAI's clients raise it."""
        self._buffer.put(b"data: " + openai.problem_body(problem) + b"\n\n")

    def _put(self, event: dict[str, Any]) -> None:
        self._buffer.put(b"data: " + orjson.dumps(event) + b"\n\n")


class ChatStream:
    """The Listener that streams one choice."""

    def __init__(self, writer: ChatWriter, index: int, mode: CoordinationMode, *, one_agent: bool) -> None:
        """`one_agent`: the question is for a single agent, and the content is the agent's text as it is."""
        self._writer = writer
        self._index = index
        self._live_round = _LIVE_ROUND.get(mode)
        self._one_agent = one_agent
        self._without_roles = one_agent or mode is CoordinationMode.HIERARCHICAL
        self._round = 0
        self._sent = ""
        self._order: list[str] = []
        self._roles: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        """Texts that wait until the members before have been sent, by member."""
        self._done: set[str] = set()
        self._sent_agents: set[str] = set()
        """Members with a text that was sent, at least in part."""

    @property
    def _live(self) -> bool:
        return self._live_round is not None and self._round >= self._live_round

    def started(self, agent: str, role: str) -> None:
        if self._live:
            self._order.append(agent)
            self._roles[agent] = role
            self._pending[agent] = ""

    def delta(self, agent: str, text: str) -> None:
        if not self._live:
            return
        self._pending[agent] += text
        if self._order[0] == agent:
            self._flush(agent)

    def restarted(self, agent: str, reason: str) -> None:
        if not self._live:
            return
        self._check_unsent(agent, reason)
        self._pending[agent] = ""

    def done(self, answer: MemberAnswer) -> None:
        if not self._live or answer.agent not in self._order:
            return
        self._done.add(answer.agent)
        if answer.status is not AnswerStatus.ANSWERED:
            self._check_unsent(answer.agent, answer.reason or "")
            self._pending[answer.agent] = ""
        while self._order and self._order[0] in self._done:
            self._flush(self._order.pop(0))
        if self._order:
            self._flush(self._order[0])

    def round_done(self, answers: list[MemberAnswer]) -> None:  # noqa: ARG002 (Listener)
        self._round += 1
        self._order, self._pending = [], {}

    def finish(self, answer: AskResponse) -> None:
        """Send the rest of the answer and its finish reason."""
        content = openai.content(answer, one_agent=self._one_agent)
        if not content.startswith(self._sent):
            raise BrokenStream("what was streamed is not what the board answered in the end; ask again")
        self._send(content[len(self._sent) :])
        self._writer.choice(self._index, {}, openai.finish_reason(answer), boardroom=openai.attribution([answer]))

    def _flush(self, agent: str) -> None:
        text = self._pending[agent]
        if agent not in self._sent_agents and not text.strip():
            return  # a text of blanks alone is no answer, and could not be taken back
        self._pending[agent] = ""
        self._sent_agents.add(agent)
        if not self._without_roles and agent in self._roles:
            before = "\n\n" if self._sent else ""
            text = f"{before}{self._roles.pop(agent)}: {text}"
        self._send(text)

    def _check_unsent(self, agent: str, reason: str) -> None:
        if agent in self._sent_agents:
            raise BrokenStream(f"{agent} broke off in the middle of its answer: {reason}")

    def _send(self, text: str) -> None:
        if text:
            self._writer.choice(self._index, ({} if self._sent else {"role": "assistant"}) | {"content": text})
            self._sent += text
