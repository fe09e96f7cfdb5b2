"""What a board says of itself: the bodies of GET /v1/agents and GET /v1/health."""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AdapterOverview(_Part):
    """A member's adapter, and what lies there as far as known."""

    source: str = Field(description="Volume, HuggingFace or S3.")
    path: str = Field(description="The directory that LoRAX reads; the source while it is not fetched yet.")
    revision: str | None = Field(description="The hub's commit, or a hash over the bucket's objects.")
    digest: str | None
    rank: int | None
    base_model: str | None


class AgentOverview(_Part):
    """A member, and whether it can answer."""

    agent: str = Field(description="Name of the BoardAgent.")
    role: str
    domains: list[str]
    ready: bool
    reason: str
    message: str
    adapter: AdapterOverview | None = Field(description="None: the base model speaks.")


class RefusedOverview(_Part):
    """An agent without a seat."""

    agent: str
    role: str
    reason: str
    message: str


class AgentsResponse(_Part):
    """The members, and those without a seat."""

    board: str
    namespace: str
    agents: list[AgentOverview]
    refused: list[RefusedOverview]


class LoraxHealth(_Part):
    """LoRAX as of the last look."""

    running: bool
    total_adapters: int
    loaded_adapters: int
    metrics: dict[str, int | float | None] = Field(
        description="Empty until LoRAX was looked at; without traffic some are null."
    )
    reason: str | None = Field(description="Why it is not running.")


class MembersHealth(_Part):
    """Numbers of agents."""

    total: int
    ready: int
    refused: int


class SystemHealth(_Part):
    """The parts of a board."""

    lorax: LoraxHealth
    members: MembersHealth


class HealthResponse(_Part):
    """The board's health."""

    board: str | None
    namespace: str | None
    ready: bool = Field(description="Whether somebody could answer a question.")
    reason: str | None = Field(description="Why the board is not known.")
    standard_inference: bool = Field(description="Whether there is a second engine.")
    system_health: SystemHealth
