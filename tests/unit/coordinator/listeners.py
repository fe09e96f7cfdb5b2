"""A listener that records what it is told."""

from boardroom.coordinator.response import MemberAnswer


class Recorder:
    """The calls about members' texts, in order: (call, agent, text or reason)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def started(self, agent: str, role: str) -> None:
        self.events.append(("started", agent, role))

    def delta(self, agent: str, text: str) -> None:
        self.events.append(("delta", agent, text))

    def restarted(self, agent: str, reason: str) -> None:
        self.events.append(("restarted", agent, reason))

    def done(self, answer: MemberAnswer) -> None:
        self.events.append(("done", answer.agent, answer.reason or ""))

    def round_done(self, answers: list[MemberAnswer]) -> None:
        self.events.append(("round_done", "", str(len(answers))))
