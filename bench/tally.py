"""Counts answers by the weights that gave them, from the first word to the last, and by the weights that they name."""

from dataclasses import dataclass, field
from typing import Final

from bench.reference import Reference
from bench.virtual_board import BASE, Volume
from boardroom.api.ask import AnswerStatus
from boardroom.coordinator.response import AskResponse, MemberAnswer

RATIONALE: Final = '"rationale":"'
"""Where the words begin in a vote of consensus, which is JSON."""


@dataclass
class Tally:
    """What came of the questions. Every text is counted once, so the first six add up to the texts."""

    volume: Volume = field(repr=False)
    reference: Reference = field(repr=False)
    right: int = 0
    """Each word is what the weights that the answer names, and no others, say to the question."""
    base_model: int = 0
    """Given by the base model and attributed to an adapter: the stale adapter race (docs/lorax.md)."""
    mixed: int = 0
    """Begins as its own and goes on as something else."""
    other_member: int = 0
    other_version: int = 0
    """The member's own, but not the weights that the answer names."""
    unreadable: int = 0
    weights_not_named: int = 0
    """Answers whose adapter has no digest; they are judged by its path."""
    named_absences: int = 0
    unnamed_absences: int = 0
    """Members that were asked and that the response does not mention."""
    torn_streams: int = 0
    """Pieces that do not add up to the answer that they were pieces of."""
    questions: int = 0
    refused: int = 0
    """Questions with no answer at all, each with its reasons."""
    left: int = 0
    """Questions whose client did not wait."""

    @property
    def texts(self) -> int:
        """Every text that was judged."""
        wrong = self.base_model + self.mixed + self.other_member + self.other_version + self.unreadable
        return self.right + wrong

    def text(self, text: str, role: str, path: str | None = None, *, begin: str = "") -> None:
        """Judge one whole answer; without `path` any version of the role's adapter will do.

        `begin` is the text before the signature.
        """
        signer = self.volume.signer(text.partition(begin)[2] if begin else text)
        if signer is None:
            self.unreadable += 1
        elif signer == BASE:
            self.base_model += 1
        elif self.volume.role(signer) != role:
            self.other_member += 1
        elif path not in (None, signer):
            self.other_version += 1
        elif not self.reference.could_say(signer, text):
            self.mixed += 1
        else:
            self.right += 1

    def response(self, response: AskResponse, asked: set[str]) -> None:
        """Judge all texts of a response to a question to the members of these names."""
        self.questions += 1
        votes = response.decision.votes if response.decision else []
        for answer in response.answers:
            self._answer(answer, begin=RATIONALE if votes else "")
        self.unnamed_absences += len(asked - {answer.agent for answer in response.answers})
        for round_ in response.rounds[:-1]:
            for said in round_.answers:
                if said.text is not None:
                    self.text(said.text, said.role)
        if response.chair is not None and response.reply.startswith("[simulated"):
            self.text(response.reply, response.chair.upper())

    def _answer(self, answer: MemberAnswer, begin: str) -> None:
        """`begin` is the text before the signature."""
        if answer.status is not AnswerStatus.ANSWERED or answer.text is None:
            self.named_absences += 1
            return
        path = answer.adapter.path if answer.adapter else ""
        digest = answer.adapter.digest if answer.adapter else None
        if digest is None:
            self.weights_not_named += 1
        elif digest != self.volume.digest(path):
            self.other_version += 1
            return
        self.text(answer.text, answer.role, path, begin=begin)


class Listening:
    """Implements `boardroom.coordinator.listener.Listener`: puts the pieces together again."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._said: dict[str, str] = {}

    def started(self, agent: str, role: str) -> None:  # noqa: ARG002
        self._said[agent] = ""

    def delta(self, agent: str, text: str) -> None:
        self._said[agent] += text

    def restarted(self, agent: str, reason: str) -> None:  # noqa: ARG002
        self._said[agent] = ""

    def done(self, answer: MemberAnswer) -> None:
        if answer.status is AnswerStatus.ANSWERED and self._said.get(answer.agent) != answer.text:
            self._tally.torn_streams += 1

    def round_done(self, answers: list[MemberAnswer]) -> None:
        """Each of them was heard."""
