"""Questions and answers: the HTTP bodies of POST /v1/ask."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from boardroom.api.request_body import nullable

MAX_QUESTION_CHARS = 65_536
MAX_BODY_BYTES = 1_048_576
MAX_ROUNDS = 8
MAX_ROUND_CHARS = 2_000
"""Texts within `rounds` are cut to this length. The answers themselves are whole."""


class CoordinationMode(StrEnum):
    """How the members answer a question."""

    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"
    HIERARCHICAL = "hierarchical"
    COLLABORATIVE = "collaborative"
    CONSENSUS = "consensus"


class AnswerStatus(StrEnum):
    """answered: the member gave a text. failed: it was asked and gave none. absent: it could not be asked."""

    ANSWERED = "answered"
    FAILED = "failed"
    ABSENT = "absent"


class EngineName(StrEnum):
    """The engine that gave an answer."""

    LORAX = "lorax"
    STANDARD = "standard"


_CONV_ID: Final = r"^(?!(.*/)?\.{1,2}(/|$))[^\x00-\x1f\x7f-\x9f]+$"


def _addressable(conv_id: str) -> str:
    """The id, if a URL's path can hold it: clients and proxies resolve dot segments of a path and refuse control
    characters (GET and DELETE /v1/conversations/{conv_id}).
    """
    if re.fullmatch(_CONV_ID, conv_id) is None:
        raise PydanticCustomError(
            "conv_id",
            "the id is part of a URL's path: send one without control characters and without a part that is . or ..",
        )
    return conv_id


ConversationId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128),
    AfterValidator(_addressable),
    Field(json_schema_extra={"pattern": _CONV_ID}),
]


class Parameters(BaseModel):
    """Generation parameters of one question. They take precedence over the members' own, within their limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int | None = Field(default=None, ge=1, le=32768, description="Longest answer in tokens.")
    temperature: float | None = Field(
        default=None, ge=0, le=100, description="Sampling temperature. 0 is greedy; below 0.01 LoRAX is greedy too."
    )
    top_p: float | None = Field(default=None, gt=0, le=1, description="Nucleus sampling.")
    stop: tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...] | None = Field(
        default=None, max_length=4, description="Texts that end an answer."
    )
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63, description="Seed of the sampling.")


class AskRequest(BaseModel):
    """POST /v1/ask. `agents` selects the members, else `agent_id` and `domain`, else the whole board answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=nullable)

    user_input: str = Field(
        description="The question.", max_length=MAX_QUESTION_CHARS, min_length=1, examples=["Shall we hire?"]
    )
    agents: tuple[Annotated[str, StringConstraints(min_length=1, max_length=253)], ...] | None = Field(
        default=None, min_length=1, max_length=256, description="Names or roles of the members to ask, in any case."
    )
    agent_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="The primary member: it is asked first, with the members of its domain.",
    )
    domain: str | None = Field(default=None, min_length=1, max_length=63, description="Ask the members of this domain.")
    conv_id: ConversationId | None = Field(
        default=None,
        description="The caller's id of a conversation. Members continue from their earlier answers in it.",
        examples=["hiring-1"],
    )
    coordination_mode: CoordinationMode | None = Field(
        default=None, description="Unset: the board's spec.deliberation.defaultMode."
    )
    rounds: int | None = Field(
        default=None,
        ge=1,
        le=MAX_ROUNDS,
        description="collaborative: most rounds. Unset: the board's spec.deliberation.rounds.",
    )
    use_lorax: bool = Field(default=True, description="False: standard inference answers instead of LoRAX.")
    parameters: Parameters = Field(default_factory=Parameters, description="Generation parameters.")
    timeout: float | None = Field(
        default=None, gt=0, le=3600, description="Deadline of the whole question in seconds. Unset: the board's."
    )
    min_successful: int = Field(
        default=1, ge=1, le=256, description="Fewest answers. With fewer the question fails with 503."
    )
    on_error: Literal["skip", "fail"] = Field(
        default="skip",
        description="skip: the response names a member that gave no answer. fail: the question ends with 503.",
    )
    stream: bool = Field(default=False, description="Answer as server-sent events. The last event is the whole answer.")
    max_concurrent: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Most members asked at once. Further ones follow in batches. Unset: all in one batch.",
    )


class AdapterIdentity(BaseModel):
    """The weights that gave an answer."""

    path: str
    digest: str | None


class Usage(BaseModel):
    """Tokens, as the engine counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class MemberAnswer(BaseModel):
    """One member's outcome. Every selected member has one."""

    agent: str = Field(description="Name of the BoardAgent.")
    role: str
    status: AnswerStatus
    text: str | None = None
    engine: EngineName | None = None
    replica: str | None = Field(
        default=None, description="The LoRAX server that answered: its pod's name or its address."
    )
    adapter: AdapterIdentity | None = None
    finish_reason: Literal["length", "stop", "content_filter"] | None = Field(
        default=None,
        description="length: cut at max_new_tokens. content_filter: cut by a filter of standard inference.",
    )
    usage: Usage | None = None
    latency_ms: float | None = None
    cold_load: bool | None = Field(default=None, description="Whether the answer waited for LoRAX to load its adapter.")
    reason: str | None = Field(default=None, description="Why the member gave no text.")


class Batch(BaseModel):
    """Requests that were submitted together."""

    size: int = Field(description="Members submitted together.")
    wall_ms: float = Field(description="From the first submission to the last answer.")
    slowest: str | None = Field(description="Name of the member that answered last.")


class RoundAnswer(BaseModel):
    """One member's answer in one round. `text` has at most MAX_ROUND_CHARS characters."""

    agent: str
    role: str
    status: AnswerStatus
    text: str | None
    changed: bool | None = Field(description="Whether the member changed its position. None in the first round.")
    reason: str | None = None


class Round(BaseModel):
    """One round of a collaborative question."""

    answers: list[RoundAnswer]


class Position(StrEnum):
    """A member's position on a proposal."""

    SUPPORT = "support"
    OPPOSE = "oppose"
    ABSTAIN = "abstain"


class Verdict(StrEnum):
    """adopted: more weight for than against. rejected: not more. vetoed: more, but a member with a veto opposes.
    no_quorum: too few members took a position.
    """

    ADOPTED = "adopted"
    REJECTED = "rejected"
    VETOED = "vetoed"
    NO_QUORUM = "no_quorum"


class Vote(BaseModel):
    """One member's vote. position is None if it gave no answer; `reason` says why."""

    agent: str
    role: str
    position: Position | None
    confidence: float | None = Field(default=None, description="As the member states it, 0 to 1. It does not count.")
    rationale: str | None = None
    weight: int = Field(description="The member's spec.weight.")
    veto: bool = Field(description="The member's spec.veto.")
    reason: str | None = Field(
        default=None, description="Why the member abstains without saying so, or has no position."
    )


class Weights(BaseModel):
    """The sum of the members' weights by position."""

    support: int
    oppose: int
    abstain: int


class Quorum(BaseModel):
    """Weights of the quorum, of the members that were asked. An abstention counts as present."""

    needed: int
    present: int
    met: bool


class Decision(BaseModel):
    """A board's decision on a proposal, with its dissent."""

    verdict: Verdict
    votes: list[Vote] = Field(description="One vote for each member that was asked.")
    weights: Weights
    quorum: Quorum
    vetoes: list[str] = Field(description="Names of the opposing members with a veto.")
    dissent: list[str] = Field(
        description="Names of the members on the losing side: they oppose an adopted proposal, or support another."
    )


class AskResponse(BaseModel):
    """The board's answer."""

    request_id: str
    conv_id: str | None
    coordination_mode: CoordinationMode
    used_lorax: bool = Field(description="Whether LoRAX gave at least one answer.")
    execution_time: float = Field(description="Seconds from the question's arrival to this answer.")
    reply: str = Field(
        description="All answers as one text, each under its member's role. hierarchical: the chair's answer."
    )
    chair: str | None = Field(default=None, description="hierarchical: name of the chair.")
    agents_involved: list[str] = Field(description="Names of the members that answered.")
    answers: list[MemberAnswer]
    batch: Batch | None = Field(description="The first batch. None unless it had two or more members.")
    batches: list[Batch] = Field(default=[], description="All batches in order. collaborative: one for each round.")
    rounds: list[Round] = Field(default=[], description="collaborative: the answers of each round.")
    decision: Decision | None = Field(default=None, description="consensus: the decision and its votes.")
    usage: Usage = Field(description="Tokens of the whole question, all rounds included.")
    warnings: list[str]


class MemberProblem(BaseModel):
    """Why a member gave no answer."""

    agent: str
    role: str
    reason: str


class ErrorDetail(BaseModel):
    """An error: code, message with the remedy, and the field or the members it is about."""

    code: str
    message: str
    field: str | None = None
    members: list[MemberProblem] | None = None


class ErrorResponse(BaseModel):
    """The body of every error."""

    error: ErrorDetail
