"""The calls that tell how a question goes while it is answered, in the order in which things happen."""

from typing import Protocol

from boardroom.coordinator.response import MemberAnswer


class Listener(Protocol):
    """Takes in what happens to one question. Every call must return at once."""

    def started(self, agent: str, role: str) -> None:
        """A member was asked."""

    def delta(self, agent: str, text: str) -> None:
        """The member's answer goes on with this text."""

    def restarted(self, agent: str, reason: str) -> None:
        """The text that came so far is void: the member is asked again."""

    def done(self, answer: MemberAnswer) -> None:
        """The member has answered, or is absent."""

    def round_done(self, answers: list[MemberAnswer]) -> None:
        """All members that were asked together have answered, or are absent."""


class MemberStream:
    """The stream of one member's answer to a listener."""

    def __init__(self, listener: Listener, agent: str) -> None:
        self._listener = listener
        self._agent = agent
        self._has_text = False

    def text(self, piece: str) -> None:
        """Pass on a piece of the answer, which may be empty."""
        if piece:
            self._has_text = True
            self._listener.delta(self._agent, piece)

    def failed(self, reason: str) -> None:
        """Pass on that the attempt failed, if some text of it was passed on."""
        if self._has_text:
            self._has_text = False
            self._listener.restarted(self._agent, reason)
