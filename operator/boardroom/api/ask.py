"""What a question is and what an answer is: the coordinator's HTTP bodies."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from boardroom.api.sent import nullable

MAX_QUESTION_CHARS = 65_536
MAX_BODY_BYTES = 1_048_576
MAX_ROUNDS = 8
MAX_ROUND_CHARS = 2_000
"""A text within `rounds` is cut to this; the answers themselves are whole."""


class CoordinationMode(StrEnum):
    """How the members are asked."""

    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"
    HIERARCHICAL = "hierarchical"
    COLLABORATIVE = "collaborative"
    CONSENSUS = "consensus"


class AnswerStatus(StrEnum):
    """answered: there is a text. failed: it was asked and broke. absent: it could not be asked."""

    ANSWERED = "answered"
    FAILED = "failed"
    ABSENT = "absent"


class EngineName(StrEnum):
    """Which engine spoke."""

    LORAX = "lorax"
    STANDARD = "standard"


_CONV_ID: Final = r"^(?!(.*/)?\.{1,2}(/|$))[^\x00-\x1f\x7f-\x9f]+$"


def _addressable(conv_id: str) -> str:
    """The id, if GET and DELETE /v1/conversations/{conv_id} can name it: clients and proxies resolve dot segments of a
    path, and refuse control characters in it.
    """
    if re.fullmatch(_CONV_ID, conv_id) is None:
        raise PydanticCustomError(
            "conv_id",
            "an id is part of a URL's path: send one without control characters, and without a part that is . or ..",
        )
    return conv_id


ConversationId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    AfterValidator(_addressable),
    Field(json_schema_extra={"pattern": _CONV_ID}),
]


class Parameters(BaseModel):
    """Generation parameters of one question; they win over the members' own within those' limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int | None = Field(default=None, ge=1, le=32768, description="Longest answer in tokens.")
    temperature: float | None = Field(
        default=None, ge=0, le=100, description="Sampling temperature; 0 is greedy, and below 0.01 LoRAX is."
    )
    top_p: float | None = Field(default=None, gt=0, le=1, description="Nucleus sampling.")
    stop: tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...] | None = Field(
        default=None, max_length=4, description="Texts that end an answer."
    )
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63, description="Seed of the sampling.")


class AskRequest(BaseModel):
    """POST /v1/ask. Members are chosen by `agents`, else by `agent_id` and `domain`, else the whole board is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=nullable)

    user_input: str = Field(
        description="The question.", max_length=MAX_QUESTION_CHARS, min_length=1, examples=["Shall we hire?"]
    )
    agents: tuple[Annotated[str, StringConstraints(min_length=1, max_length=253)], ...] | None = Field(
        default=None, min_length=1, max_length=256, description="Names or roles of the members to ask, in any case."
    )
    agent_id: str | None = Field(
        default=None, min_length=1, max_length=253, description="The primary member: asked first, with its domain's."
    )
    domain: str | None = Field(default=None, min_length=1, max_length=63, description="Ask the members of this domain.")
    conv_id: ConversationId | None = Field(
        default=None,
        description="The caller's id of a conversation: members go on from what they said in it before.",
        examples=["hiring-1"],
    )
    coordination_mode: CoordinationMode | None = Field(
        default=None, description="Unset: the board's spec.deliberation.defaultMode."
    )
    rounds: int | None = Field(
        default=None,
        ge=1,
        le=MAX_ROUNDS,
        description="collaborative: at most so many rounds. Unset: the board's spec.deliberation.rounds.",
    )
    use_lorax: bool = Field(default=True, description="False: ask by standard inference instead.")
    parameters: Parameters = Field(default_factory=Parameters, description="Generation parameters.")
    timeout: float | None = Field(
        default=None, gt=0, le=3600, description="Deadline of the whole question in seconds. Unset: the board's."
    )
    min_successful: int = Field(
        default=1, ge=1, le=256, description="With fewer answers than this the question fails with 503."
    )
    on_error: Literal["skip", "fail"] = Field(
        default="skip",
        description="skip: a member that gives no answer is a named absence. fail: the question ends there with 503.",
    )
    stream: bool = Field(
        default=False, description="Answer as server-sent events while the members speak; the last event is the answer."
    )
    max_concurrent: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Members asked at once; more are asked batch by batch. Unset: all of them, in one batch.",
    )


class AdapterIdentity(BaseModel):
    """The weights that spoke."""

    path: str
    digest: str | None


class Usage(BaseModel):
    """Tokens, as the engine counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class MemberAnswer(BaseModel):
    """One member's outcome; there is one for every member that was to be asked."""

    agent: str = Field(description="Name of the BoardAgent.")
    role: str
    status: AnswerStatus
    text: str | None = None
    engine: EngineName | None = None
    replica: str | None = Field(default=None, description="The LoRAX server that spoke: its pod's name or its address.")
    adapter: AdapterIdentity | None = None
    finish_reason: Literal["length", "stop", "content_filter"] | None = Field(
        default=None, description="length: cut at its tokens. content_filter: cut by a filter of standard inference."
    )
    usage: Usage | None = None
    latency_ms: float | None = None
    cold_load: bool | None = Field(
        default=None, description="Whether the answer had to wait until LoRAX had loaded its adapter."
    )
    reason: str | None = Field(default=None, description="Why there is no text.")


class Batch(BaseModel):
    """The requests that were submitted together."""

    size: int = Field(description="Members submitted together.")
    wall_ms: float = Field(description="From the first submission to the last answer.")
    slowest: str | None = Field(description="Name of the member whose answer came last.")


class RoundAnswer(BaseModel):
    """What a member said in one round; `text` has at most MAX_ROUND_CHARS characters."""

    agent: str
    role: str
    status: AnswerStatus
    text: str | None
    changed: bool | None = Field(description="Whether it changed its position; None in the first round.")
    reason: str | None = None


class Round(BaseModel):
    """One round of a collaborative question."""

    answers: list[RoundAnswer]


class Position(StrEnum):
    """What a member makes of a proposal."""

    SUPPORT = "support"
    OPPOSE = "oppose"
    ABSTAIN = "abstain"


class Verdict(StrEnum):
    """adopted: more weight for than against. rejected: not more. vetoed: more, but a holder of a veto opposes.
    no_quorum: too few took a position for the vote to count.
    """

    ADOPTED = "adopted"
    REJECTED = "rejected"
    VETOED = "vetoed"
    NO_QUORUM = "no_quorum"


class Vote(BaseModel):
    """One member's position; None where it gave no answer at all, and then `reason` says why."""

    agent: str
    role: str
    position: Position | None
    confidence: float | None = Field(
        default=None, description="As the member says it, 0 to 1; it has no part in the count."
    )
    rationale: str | None = None
    weight: int = Field(description="The member's spec.weight.")
    veto: bool = Field(description="The member's spec.veto.")
    reason: str | None = Field(default=None, description="Why it abstains without having said so, or has no position.")


class Weights(BaseModel):
    """The sum of the members' weights by position."""

    support: int
    oppose: int
    abstain: int


class Quorum(BaseModel):
    """In weight, of the members that were asked; an abstention counts as present."""

    needed: int
    present: int
    met: bool


class Decision(BaseModel):
    """What a board made of a proposal, and who was against it."""

    verdict: Verdict
    votes: list[Vote] = Field(description="One for each member that was asked.")
    weights: Weights
    quorum: Quorum
    vetoes: list[str] = Field(description="Names of the opposing members that hold a veto.")
    dissent: list[str] = Field(
        description="Names of those on the other side: opposing what was adopted, else supporting it."
    )


class AskResponse(BaseModel):
    """The board's answer."""

    request_id: str
    conv_id: str | None
    coordination_mode: CoordinationMode
    used_lorax: bool = Field(description="Whether any answer came from LoRAX.")
    execution_time: float = Field(description="Seconds from the question's arrival to this answer.")
    reply: str = Field(
        description="The answers as one text, each under its member's role; hierarchical: what the chair made of them."
    )
    chair: str | None = Field(default=None, description="hierarchical: name of the member that chaired.")
    agents_involved: list[str] = Field(description="Names of the members that answered.")
    answers: list[MemberAnswer]
    batch: Batch | None = Field(description="The first batch; None unless two or more members were submitted together.")
    batches: list[Batch] = Field(default=[], description="Every batch in turn; collaborative has one for each round.")
    rounds: list[Round] = Field(default=[], description="collaborative: who said what in each round.")
    decision: Decision | None = Field(default=None, description="consensus: the vote and its record.")
    usage: Usage = Field(description="Everything that was generated for this question, in every round.")
    warnings: list[str]


class MemberProblem(BaseModel):
    """Why a member did not answer."""

    agent: str
    role: str
    reason: str


class ErrorDetail(BaseModel):
    """What went wrong, where, and what to do."""

    code: str
    message: str
    field: str | None = None
    members: list[MemberProblem] | None = None


class ErrorResponse(BaseModel):
    """The body of every error."""

    error: ErrorDetail
