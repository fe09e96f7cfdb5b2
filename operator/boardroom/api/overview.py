"""The bodies of GET /v1/agents and GET /v1/health."""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AdapterOverview(_Part):
    """A member's adapter, and what the sidecar found of its files."""

    source: str = Field(description="Volume, HuggingFace or S3.")
    path: str = Field(description="Directory that LoRAX reads. Until the adapter is fetched: its source.")
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
    adapter: AdapterOverview | None = Field(description="None: the member has no adapter.")


class RefusedOverview(_Part):
    """A BoardAgent that is not a member."""

    agent: str
    role: str
    reason: str
    message: str


class AgentsResponse(_Part):
    """The members, and the BoardAgents that the board refused."""

    board: str
    namespace: str
    agents: list[AgentOverview]
    refused: list[RefusedOverview]


class LoraxHealth(_Part):
    """LoRAX as of the last health check."""

    running: bool
    total_adapters: int
    loaded_adapters: int
    metrics: dict[str, int | float | None] = Field(
        description="Empty before the first health check. Some are null without traffic."
    )
    reason: str | None = Field(description="Why it is not running.")


class MembersHealth(_Part):
    """Counts of BoardAgents."""

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
    ready: bool = Field(description="Whether at least one member can answer a question.")
    reason: str | None = Field(description="Why the coordinator does not know the board.")
    standard_inference: bool = Field(description="Whether the board has standard inference.")
    system_health: SystemHealth
