"""Status of both kinds. The controller and the coordinator own different fields of it; DESIGN says which."""

from datetime import datetime

from pydantic import Field

from boardroom.api.conditions import Condition
from boardroom.api.coordinator import AuthSpec
from boardroom.api.model import Model, map_list


class EffectiveSettings(Model):
    """Settings in force, after the operator's defaults."""

    enabled: bool = Field(description="Whether the board runs LoRAX.")
    image: str = Field(max_length=512, description="LoRAX image.")
    port: int = Field(ge=1, le=65535, description="Port of LoRAX.")
    adapter_cache_size: int = Field(ge=1, description="Adapters that may be resident at once.")
    max_concurrent_requests: int = Field(ge=1, description="Requests beyond this number get 429.")
    max_members: int = Field(ge=1, description="Members beyond this number are refused.")

    @property
    def places(self) -> int | None:
        """Adapters that may be resident at once; None without LoRAX."""
        return self.adapter_cache_size if self.enabled else None

    @property
    def requests(self) -> int | None:
        """Requests that LoRAX answers at once; None without LoRAX."""
        return self.max_concurrent_requests if self.enabled else None


class LoraxMetrics(Model):
    """What LoRAX's own metrics say. Windowed figures cover 60 s without probes, and are absent without traffic."""

    total_requests: int | None = Field(default=None, ge=0, description="Requests since LoRAX started, with probes.")
    failed_requests: int | None = Field(default=None, ge=0, description="Failed requests since LoRAX started.")
    average_latency_ms: int | None = Field(default=None, ge=0, description="Mean request duration of the last 60 s.")
    p95_latency_ms: int | None = Field(default=None, ge=0, description="95th percentile of the last 60 s.")
    queue_length: int | None = Field(default=None, ge=0, description="Requests that wait in LoRAX.")
    cache_hit_rate_percent: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Share of the last 60 s' adapter requests that did not wait for their adapter's load.",
    )


class LoraxReplicas(Model):
    """LoRAX's pods."""

    desired: int = Field(ge=0, description="Pods that there should be: spec.lorax.replicas, and 0 while suspended.")
    ready: int = Field(ge=0, description="Pods whose LoRAX serves.")


class LoraxStatus(Model):
    """LoRAX as the coordinator observes it, and the settings it runs with."""

    running: bool | None = Field(default=None, description="Whether LoRAX answered its last health check.")
    total_adapters: int | None = Field(default=None, ge=0, description="Adapters that the members name.")
    loaded_adapters: int | None = Field(
        default=None,
        ge=0,
        description="Adapters that have answered on at least one replica since it started: proved, not configured.",
    )
    effective: EffectiveSettings | None = Field(default=None, description="Settings in force.")
    replicas: LoraxReplicas | None = Field(default=None, description="LoRAX's pods.")
    metrics: LoraxMetrics | None = Field(
        default=None, description="What LoRAX's own metrics say, over all replicas that are up."
    )
    last_probe_time: datetime | None = Field(
        default=None, description="Last probe; moves only together with another field."
    )


class MemberStatus(Model):
    """One member as the board sees it."""

    name: str = Field(max_length=253, description="Name of the BoardAgent.")
    role: str = Field(max_length=63, description="Its role.")
    ready: bool = Field(description="Whether it can answer.")
    reason: str = Field(max_length=1024, description="Why, in one word.")


class BoardroomStatus(Model):
    """What was observed of a board."""

    observed_generation: int = Field(
        default=-1, ge=-1, description="metadata.generation that this status is about; -1 before the first look."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=32, description="What was observed, by aspect.", json_schema_extra=map_list("type")
    )
    agents: str | None = Field(default=None, max_length=32, description="Members ready / members, for display.")
    lorax: LoraxStatus | None = Field(default=None, description="Health of LoRAX.")
    members: tuple[MemberStatus, ...] = Field(
        default=(), max_length=512, description="The members.", json_schema_extra=map_list("name")
    )
    endpoint: str | None = Field(default=None, max_length=512, description="URL of the coordinator in the cluster.")
    operator: str | None = Field(
        default=None, max_length=63, description="Namespace of the operator that reconciles the board."
    )
    auth: AuthSpec | None = Field(
        default=None, description="Who may ask the board: spec.coordinator.auth, or its default."
    )


class AdapterStatus(Model):
    """The member's adapter as it was found and proved."""

    source: str | None = Field(default=None, max_length=32, description="Volume, HuggingFace or S3.")
    path: str | None = Field(default=None, max_length=1024, description="Directory that LoRAX reads.")
    digest: str | None = Field(default=None, max_length=128, description="sha256 over the adapter's files.")
    revision: str | None = Field(
        default=None, max_length=256, description="The hub's commit, or a hash over the bucket's objects."
    )
    size_bytes: int | None = Field(default=None, ge=0, description="Bytes of its weights.")
    rank: int | None = Field(default=None, ge=0, description="LoRA rank.")
    base_model: str | None = Field(default=None, max_length=512, description="Base model named by the adapter.")
    last_probe_time: datetime | None = Field(default=None, description="When the adapter was last proved or refused.")
    load_ms: int | None = Field(
        default=None, ge=0, description="How long LoRAX took to load these files for the first time, in milliseconds."
    )


class BoardAgentStatus(Model):
    """What was observed of a member."""

    observed_generation: int = Field(
        default=-1, ge=-1, description="metadata.generation that this status is about; -1 before the first look."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=32, description="What was observed, by aspect.", json_schema_extra=map_list("type")
    )
    adapter: AdapterStatus | None = Field(default=None, description="The adapter as it was found and proved.")
