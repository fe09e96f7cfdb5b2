"""Who listens to a question while it is answered: plain calls in the order in which things happen."""

from typing import Protocol

from boardroom.coordinator.response import MemberAnswer


class Listener(Protocol):
    """Hears one question. Every call must return at once."""

    def started(self, agent: str, role: str) -> None:
        """The member was asked."""

    def delta(self, agent: str, text: str) -> None:
        """More of what it says."""

    def restarted(self, agent: str, reason: str) -> None:
        """What it said so far is void: it is asked again."""

    def done(self, answer: MemberAnswer) -> None:
        """It has answered, or will not."""

    def round_done(self, answers: list[MemberAnswer]) -> None:
        """Everybody who was asked together has."""


class MemberStream:
    """One member's part of it."""

    def __init__(self, listener: Listener, agent: str) -> None:
        self._listener = listener
        self._agent = agent
        self._spoken = False

    def text(self, piece: str) -> None:
        """A piece of its answer, perhaps an empty one."""
        if piece:
            self._spoken = True
            self._listener.delta(self._agent, piece)

    def failed(self, reason: str) -> None:
        """The attempt broke; what was said in it is void."""
        if self._spoken:
            self._spoken = False
            self._listener.restarted(self._agent, reason)
