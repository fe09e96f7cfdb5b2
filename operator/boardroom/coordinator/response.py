"""The board's answer on its way out: the same bodies as boardroom.api.ask describes, in a form that is cheap to make.

A pydantic model validates what it is made of. Here the code makes every value itself, for every member of every
question, and msgspec's structs are made and written in a fifth of the time. A test holds both forms to the same JSON.
"""

from typing import Final, Literal

import msgspec

from boardroom.api.ask import AnswerStatus, CoordinationMode, EngineName, Position, Verdict


class AdapterIdentity(msgspec.Struct, frozen=True):
    """The weights that gave an answer. `digest` None: unknown."""

    path: str
    digest: str | None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, as the engine counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class MemberAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A member's outcome; every member that was to be asked has one."""

    agent: str
    role: str
    status: AnswerStatus
    text: str | None = None
    engine: EngineName | None = None
    replica: str | None = None
    adapter: AdapterIdentity | None = None
    finish_reason: Literal["length", "stop", "content_filter"] | None = None
    usage: Usage | None = None
    latency_ms: float | None = None
    cold_load: bool | None = None
    reason: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that were submitted together."""

    size: int
    wall_ms: float
    slowest: str | None


class RoundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A member's answer in one round; `text` is cut to MAX_ROUND_CHARS characters."""

    agent: str
    role: str
    status: AnswerStatus
    text: str | None
    changed: bool | None
    reason: str | None = None


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A round of a collaborative question."""

    answers: list[RoundAnswer]


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """A member's vote. `position` None: the member gave no answer, and `reason` says why."""

    agent: str
    role: str
    position: Position | None
    confidence: float | None = None
    rationale: str | None = None
    weight: int
    veto: bool
    reason: str | None = None


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of the members' weights by position."""

    support: int
    oppose: int
    abstain: int


class Quorum(msgspec.Struct, frozen=True, kw_only=True):
    """The quorum, in weight of the members that were asked; an abstention counts as present."""

    needed: int
    present: int
    met: bool


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a vote, and the members that were against it."""

    verdict: Verdict
    votes: list[Vote]
    weights: Weights
    quorum: Quorum
    vetoes: list[str]
    dissent: list[str]


class AskResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The board's answer."""

    request_id: str
    conv_id: str | None
    coordination_mode: CoordinationMode
    used_lorax: bool
    execution_time: float
    reply: str
    chair: str | None = None
    agents_involved: list[str]
    answers: list[MemberAnswer]
    batch: Batch | None
    batches: list[Batch] = []
    rounds: list[Round] = []
    decision: Decision | None = None
    usage: Usage
    warnings: list[str]


encode: Final = msgspec.json.Encoder().encode
"""A body of this module as JSON."""
