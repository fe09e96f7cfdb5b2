"""spec.lorax: the LoRAX server and its GPUs."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from boardroom.api.meta import ADAPTERS_PORT
from boardroom.api.model import ATOMIC, Model, ObjectName, map_list, rule, rules, validated_by
from boardroom.api.placement import Affinity, ResourceClaim
from boardroom.api.pods import LABEL_KEY, EnvVar, LabelValue, ResourceRequirements, Toleration
from boardroom.api.quantity import Size

MANAGED_FLAGS: Final = (
    "--model-id",
    "--revision",
    "--source",
    "--adapter-source",
    "--port",
    "--hostname",
    "--max-active-adapters",
    "--max-concurrent-requests",
    "--max-input-length",
    "--max-total-tokens",
    "--quantize",
    "--dtype",
    "--num-shard",
    "--sharded",
    "--preloaded-adapter-ids",
    "--preloaded-adapter-source",
    "--json-output",
)
"""Launcher flags that the operator sets from other fields. extraArgs may not set them."""

MANAGED_ENV: Final = (
    *(flag.removeprefix("--").replace("-", "_").upper() for flag in MANAGED_FLAGS),
    "HUGGINGFACE_HUB_CACHE",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
)
"""Variables that env may not set: each launcher flag is a variable too (docs/lorax.md#flags-are-environment)."""


def _cel_list(items: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{item}'" for item in items) + "]"


class Gpu(Model):
    """The GPUs of the LoRAX pod."""

    model_config = validated_by(
        rule(
            "self.count == 1 || !self.resourceName.contains('/mig-')",
            "LoRAX can't shard a model over MIG slices (NCCL does not span them): set count to 1 and choose a larger "
            "slice, or use whole GPUs",
            ".count",
        )
    )
    count: int = Field(default=1, ge=1, le=16, description="GPUs per LoRAX pod. LoRAX shards the model over several.")
    resource_name: str = Field(
        default="nvidia.com/gpu",
        min_length=3,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        description="Extended resource that the device plugin advertises, for example nvidia.com/mig-3g.40gb.",
    )


class LoraxSpec(Model):
    """Settings of the LoRAX server. A change replaces its pods."""

    model_config = validated_by(
        rule(
            f"!has(self.extraArgs) || self.extraArgs.all(a, !(a.split('=')[0] in {_cel_list(MANAGED_FLAGS)}) && "
            "!a.startsWith('-p'))",
            "extraArgs may not set a flag that the operator manages; use the field of spec.model, spec.lorax or "
            "spec.adapters instead",
            ".extraArgs",
        ),
        rule(
            r"!has(self.extraArgs) || self.extraArgs.all(a, !a.matches(r'^-[^=]*[ \t-\r]'))",
            "give a flag and its value as two items of extraArgs, or as one item --flag=value",
            ".extraArgs",
        ),
        rule(
            f"!has(self.env) || self.env.all(e, !(e.name in {_cel_list(MANAGED_ENV)}))",
            "env may not set what the operator manages; use the field of spec.model, spec.lorax or spec.adapters "
            "instead",
            ".env",
        ),
        rule(
            f"!has(self.port) || self.port != {ADAPTERS_PORT}",
            f"port {ADAPTERS_PORT} belongs to the adapters sidecar in the same pod; choose another",
            ".port",
        ),
        rule(
            "!(has(self.maxInputTokens) && has(self.maxTotalTokens)) || self.maxInputTokens < self.maxTotalTokens",
            "maxInputTokens must be below maxTotalTokens, which counts the answer too",
            ".maxInputTokens",
        ),
        rule(
            "!(has(self.quantize) && has(self.dtype))",
            "LoRAX takes either quantize or dtype, not both: leave one out",
            ".dtype",
        ),
        rule(
            "(has(self.resourceClaims) && self.resourceClaims.size() > 0) || !has(self.resources) || "
            "[has(self.resources.limits) ? self.resources.limits : {}, "
            "has(self.resources.requests) ? self.resources.requests : {}]"
            ".all(r, !((has(self.gpu) ? self.gpu.resourceName : 'nvidia.com/gpu') in r))",
            "resources sets CPU and memory; gpu.count sets the GPUs",
            ".resources",
        ),
        rule(
            "!(has(self.gpu) && has(self.resourceClaims) && self.resourceClaims.size() > 0)",
            "give either gpu (a count of an extended resource) or resourceClaims (dynamic allocation), not both",
            ".resourceClaims",
        ),
        rule(
            "self.replicas == 1 || !has(self.resourceClaims) || "
            "self.resourceClaims.all(c, has(c.resourceClaimTemplateName))",
            "several replicas would share the devices of one ResourceClaim: give each claim a "
            "resourceClaimTemplateName, or set replicas to 1",
            ".resourceClaims",
        ),
        rule(
            "!has(self.shards) || (has(self.resourceClaims) && self.resourceClaims.size() > 0)",
            "shards goes with resourceClaims only; with gpu the model is sharded over gpu.count GPUs",
            ".shards",
        ),
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=16,
        description="LoRAX pods, each with its own GPUs and all adapters. A batch runs whole on one of them: more "
        "replicas answer more questions at once, and no question faster. A single pod is replaced by Recreate, "
        "several pods one at a time.",
    )
    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        pattern=r"^[^ \t-\r]+$",
        description="Image with lorax-launcher, by version or digest. Unset: the operator's AOS_LORAX_IMAGE.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When the kubelet pulls the image."
    )
    port: int | None = Field(
        default=None, ge=1024, le=65535, description="Port of LoRAX. Unset: the operator's AOS_LORAX_PORT (8080)."
    )
    adapter_cache_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Most adapters resident on the GPU at once (--max-active-adapters). A BoardAgent whose adapter "
        "would exceed it is refused. Unset: the operator's AOS_LORAX_ADAPTER_CACHE_SIZE (100).",
    )
    adapter_policy: Literal["Dynamic", "Preloaded"] = Field(
        default="Dynamic",
        description="Dynamic: LoRAX loads an adapter at its first request; members are added, changed and removed "
        "without a restart. Preloaded: LoRAX loads all adapters when it starts and never evicts one; each adapter that "
        "is added, changed or removed replaces the pods.",
    )
    max_concurrent_requests: int | None = Field(
        default=None,
        ge=1,
        le=65536,
        description="Most concurrent requests (--max-concurrent-requests). LoRAX refuses further ones with 429, and a "
        "BoardAgent that would exceed it is refused. Unset: the operator's AOS_LORAX_MAX_CONCURRENT_REQUESTS (128).",
    )
    max_input_tokens: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Most tokens of a prompt (--max-input-length)."
    )
    max_total_tokens: int | None = Field(
        default=None, ge=2, le=1_000_000, description="Most tokens of prompt and answer together."
    )
    quantize: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        pattern=r"^[a-z0-9-]+$",
        description="Quantisation as LoRAX names it, for example bitsandbytes-nf4, awq, gptq, eetq, fp8.",
    )
    dtype: Literal["float16", "bfloat16"] | None = Field(
        default=None, description="Data type of the weights, as LoRAX names it. Not together with quantize."
    )
    gpu: Gpu = Field(
        default_factory=Gpu,
        description="GPUs of each LoRAX pod. Unset, and without resourceClaims: one nvidia.com/gpu.",
    )
    resource_claims: tuple[ResourceClaim, ...] = Field(
        default=(),
        max_length=8,
        description="Claims for GPUs by dynamic resource allocation (Kubernetes 1.34 or newer), instead of gpu.",
        json_schema_extra=map_list("name"),
    )
    shards: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="GPUs of resourceClaims over which LoRAX shards the model (--num-shard). Unset: 1.",
    )
    resources: ResourceRequirements | None = Field(
        default=None, description="CPU and memory of the LoRAX container. gpu or resourceClaims set the GPUs."
    )
    node_selector: dict[str, LabelValue] | None = Field(
        default=None,
        max_length=32,
        description="Node labels that LoRAX's pods require.",
        json_schema_extra=rules(
            rule(
                f"self.all(k, k.matches(r'^{LABEL_KEY}$'))",
                "give labels' names, for example nvidia.com/gpu.present: letters, digits, - _ and ., with a letter or "
                "digit at both ends, at most one / behind a domain",
            )
        ),
    )
    tolerations: tuple[Toleration, ...] | None = Field(
        default=None,
        max_length=32,
        description="Taints that LoRAX tolerates. Unset: nvidia.com/gpu Exists.",
        json_schema_extra=ATOMIC,
    )
    affinity: Affinity | None = Field(default=None, description="Node affinity of LoRAX, as in a Pod.")
    runtime_class_name: ObjectName | None = Field(
        default=None,
        description="RuntimeClass of the LoRAX pod, for example nvidia. Unset: the node's default runtime.",
    )
    priority_class_name: ObjectName | None = Field(
        default=None, description="PriorityClass of the LoRAX pod. Unset: the cluster's default."
    )
    shm_size: Size = Field(default="1Gi", description="Size of /dev/shm; LoRAX needs at least 1Gi.")
    startup_timeout_seconds: int = Field(
        default=1800,
        ge=30,
        le=86400,
        description="Seconds that LoRAX may take to download, load and warm up the model before it is restarted.",
    )
    latency_warning_ms: int = Field(
        default=500,
        ge=1,
        le=3_600_000,
        description="Average latency in milliseconds above which the condition LatencyHigh is True.",
    )
    extra_args: tuple[Annotated[str, StringConstraints(min_length=1, max_length=512)], ...] = Field(
        default=(), max_length=64, description="Additional flags of lorax-launcher.", json_schema_extra=ATOMIC
    )
    env: tuple[EnvVar, ...] = Field(
        default=(),
        max_length=64,
        description="Additional environment variables of LoRAX.",
        json_schema_extra=map_list("name"),
    )

    @property
    def preloads(self) -> bool:
        """Whether LoRAX loads its adapters at start, and no others later."""
        return self.adapter_policy == "Preloaded"

    @property
    def shard_count(self) -> int:
        """GPUs that the model is sharded over."""
        return (self.shards or 1) if self.resource_claims else self.gpu.count
