"""Status of both kinds. Controller and coordinator own different fields, by their field managers (meta.py)."""

from datetime import datetime

from pydantic import Field

from boardroom.api.conditions import Condition
from boardroom.api.coordinator import AuthSpec
from boardroom.api.model import Model, map_list


class EffectiveSettings(Model):
    """The settings of a board after the operator's defaults."""

    enabled: bool = Field(description="Whether the board runs LoRAX.")
    image: str = Field(max_length=512, description="LoRAX image.")
    port: int = Field(ge=1, le=65535, description="Port of LoRAX.")
    adapter_cache_size: int = Field(ge=1, description="Most adapters resident at once.")
    max_concurrent_requests: int = Field(
        ge=1, description="Most concurrent requests. LoRAX refuses further ones with 429."
    )
    max_members: int = Field(ge=1, description="Most members. Further BoardAgents are refused.")

    @property
    def places(self) -> int | None:
        """Most adapters resident at once. None: no LoRAX."""
        return self.adapter_cache_size if self.enabled else None

    @property
    def requests(self) -> int | None:
        """Most concurrent requests to LoRAX. None: no LoRAX."""
        return self.max_concurrent_requests if self.enabled else None


class LoraxMetrics(Model):
    """Figures of LoRAX's metrics. Windows cover 60 s, exclude probes, and are absent without traffic."""

    total_requests: int | None = Field(default=None, ge=0, description="Requests since LoRAX started, probes included.")
    failed_requests: int | None = Field(default=None, ge=0, description="Failed requests since LoRAX started.")
    average_latency_ms: int | None = Field(default=None, ge=0, description="Mean request duration of the last 60 s.")
    p95_latency_ms: int | None = Field(default=None, ge=0, description="95th percentile of the last 60 s.")
    queue_length: int | None = Field(default=None, ge=0, description="Requests queued in LoRAX.")
    cache_hit_rate_percent: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Share of the last 60 s' adapter requests that did not wait for a load of their adapter.",
    )


class LoraxReplicas(Model):
    """LoRAX's pods."""

    desired: int = Field(ge=0, description="Desired pods: spec.lorax.replicas, or 0 while suspended.")
    ready: int = Field(ge=0, description="Pods that are ready.")


class LoraxStatus(Model):
    """LoRAX as the coordinator observes it, and its settings."""

    running: bool | None = Field(default=None, description="Whether LoRAX passed its last health check.")
    total_adapters: int | None = Field(default=None, ge=0, description="Distinct adapters of the members.")
    loaded_adapters: int | None = Field(
        default=None,
        ge=0,
        description="Adapters that have answered on at least one replica since it started: observed, not configured.",
    )
    effective: EffectiveSettings | None = Field(default=None, description="The settings in effect.")
    replicas: LoraxReplicas | None = Field(default=None, description="LoRAX's pods.")
    metrics: LoraxMetrics | None = Field(
        default=None, description="Figures of LoRAX's metrics, over all replicas that are up."
    )
    last_probe_time: datetime | None = Field(
        default=None, description="Time of the last probe. It changes only together with another field."
    )


class MemberStatus(Model):
    """One member of the board."""

    name: str = Field(max_length=253, description="Name of the BoardAgent.")
    role: str = Field(max_length=63, description="Its role.")
    ready: bool = Field(description="Whether the member can answer.")
    reason: str = Field(max_length=1024, description="Reason of its Ready condition.")


class BoardroomStatus(Model):
    """The observed state of a board."""

    observed_generation: int = Field(
        default=-1, ge=-1, description="metadata.generation of this status; -1 before the first reconciliation."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=32, description="Conditions of the object.", json_schema_extra=map_list("type")
    )
    agents: str | None = Field(default=None, max_length=32, description="Ready members / members, for display.")
    lorax: LoraxStatus | None = Field(default=None, description="Health of LoRAX.")
    members: tuple[MemberStatus, ...] = Field(
        default=(), max_length=512, description="The members.", json_schema_extra=map_list("name")
    )
    endpoint: str | None = Field(default=None, max_length=512, description="URL of the coordinator in the cluster.")
    operator: str | None = Field(
        default=None, max_length=63, description="Namespace of the operator that reconciles the board."
    )
    auth: AuthSpec | None = Field(
        default=None, description="Who may ask the board, in effect: spec.coordinator.auth or its default."
    )


class AdapterStatus(Model):
    """The member's adapter as the coordinator observed it."""

    source: str | None = Field(default=None, max_length=32, description="Volume, HuggingFace or S3.")
    path: str | None = Field(default=None, max_length=1024, description="Directory that LoRAX reads.")
    digest: str | None = Field(default=None, max_length=128, description="sha256 over the adapter's files.")
    revision: str | None = Field(
        default=None, max_length=256, description="The hub's commit, or a hash over the bucket's objects."
    )
    size_bytes: int | None = Field(default=None, ge=0, description="Bytes of its weights.")
    rank: int | None = Field(default=None, ge=0, description="LoRA rank.")
    base_model: str | None = Field(default=None, max_length=512, description="Base model named by the adapter.")
    last_probe_time: datetime | None = Field(
        default=None, description="Time when the adapter last answered a probe, or was refused."
    )
    load_ms: int | None = Field(
        default=None, ge=0, description="Duration of the first load of these files in LoRAX, in milliseconds."
    )


class BoardAgentStatus(Model):
    """The observed state of a member."""

    observed_generation: int = Field(
        default=-1, ge=-1, description="metadata.generation of this status; -1 before the first reconciliation."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=32, description="Conditions of the object.", json_schema_extra=map_list("type")
    )
    adapter: AdapterStatus | None = Field(default=None, description="The adapter as the coordinator observed it.")
