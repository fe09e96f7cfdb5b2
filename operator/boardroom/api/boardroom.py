"""The Boardroom kind: a base model on a GPU, a volume with adapters, and how the board answers questions."""

from typing import Final, Literal

from pydantic import Field

from boardroom.api.coordinator import CoordinatorSpec
from boardroom.api.lorax import LoraxSpec
from boardroom.api.model import (
    PORT,
    LocalObjectReference,
    Model,
    ObjectName,
    SecretKeyRef,
    map_list,
    pattern_rule,
    rule,
    validated_by,
)
from boardroom.api.quantity import Size
from boardroom.api.volume import AdaptersSpec

_URL: Final = rf"^https?://(\[[0-9A-Fa-f:.]+\]|[^ \t-\r/?#@:\[\]]+)(:{PORT})?(/[^ \t-\r?#]*)?$"


class ModelCache(Model):
    """The volume that keeps downloaded weights of the base model (/data in the LoRAX pod)."""

    model_config = validated_by(
        rule(
            "!(has(self.claimName) && (has(self.size) || has(self.storageClassName)))",
            "give either claimName (an existing claim) or size (the operator creates a claim), not both",
        ),
        rule("!has(self.storageClassName) || has(self.size)", "storageClassName needs size", ".storageClassName"),
        rule("!has(self.accessMode) || has(self.size)", "accessMode needs size", ".accessMode"),
        rule(
            "!has(self.whenDeleted) || has(self.size)",
            "whenDeleted needs size: the operator never deletes a claim that claimName names",
            ".whenDeleted",
        ),
    )
    claim_name: ObjectName | None = Field(default=None, description="An existing PersistentVolumeClaim to use.")
    size: Size | None = Field(
        default=None, description="Size of the claim `<board>-model-cache` that the operator creates, for example 50Gi."
    )
    storage_class_name: ObjectName | None = Field(
        default=None, description="Storage class of the claim that the operator creates. Unset: the cluster's default."
    )
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] | None = Field(
        default=None,
        description="Access mode of the claim that the operator creates. Unset: ReadWriteOnce. Several LoRAX replicas "
        "need ReadWriteMany. Kubernetes can't change an existing claim: delete it, and the operator creates it again.",
    )
    when_deleted: Literal["Delete", "Retain"] | None = Field(
        default=None,
        description="What happens to the claim that the operator created when the Boardroom is deleted. Delete (or "
        "unset): Kubernetes deletes it too. Retain: it stays, and a later Boardroom of the same name uses it again.",
    )


class BaseModelSpec(Model):
    """The base model that every member shares."""

    id: str = Field(
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z0-9._/][A-Za-z0-9._/-]*$",
        description="Hugging Face id of the base model, or its directory when source is Local.",
    )
    revision: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9._/][A-Za-z0-9._/-]*$",
        description="Git revision of the model on the hub. Pin a commit to make the board reproducible.",
    )
    source: Literal["Hub", "Local"] = Field(
        default="Hub", description="Hub downloads the model; Local reads it from a directory of the model cache."
    )
    token_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Hugging Face token for gated models, given to LoRAX as HF_TOKEN."
    )
    cache: ModelCache | None = Field(
        default=None, description="Keeps the weights across pods. Unset: each new pod downloads them again."
    )


class DeliberationSpec(Model):
    """How the board answers a question that does not say how."""

    default_mode: Literal["Parallel", "Sequential", "Hierarchical", "Collaborative", "Consensus"] = Field(
        default="Parallel",
        description="Parallel: all members answer at once, in one LoRAX batch. Sequential: one after another; each "
        "sees the answers before its own. Hierarchical: all but the chair answer at once, then the chair writes one "
        "answer from theirs. Collaborative: several rounds, each a batch in which every member sees the round before. "
        "Consensus: every member votes on the question as a proposal, by weight (spec.weight of a BoardAgent), with "
        "quorum and vetoes.",
    )
    chair_ref: LocalObjectReference | None = Field(
        default=None,
        description="Hierarchical: the BoardAgent that chairs. Unset, or not a member: the member with the role CEO, "
        "else the first by name.",
    )
    rounds: int = Field(
        default=3,
        ge=1,
        le=8,
        description="Collaborative: most rounds of a question. It ends earlier when no member changes its position.",
    )
    quorum_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Consensus: share of the asked members' weight that must take a position for the vote to count. An "
        "abstention is a position.",
    )


class StandardInferenceSpec(Model):
    """A second engine: any server with OpenAI's chat route. It answers by a member's prompt, without its adapter."""

    url: str = Field(
        min_length=8,
        max_length=2048,
        pattern=_URL,
        description="The URL up to, and without, /chat/completions, for example https://api.openai.com/v1. No "
        "credentials, query or fragment.",
        json_schema_extra=pattern_rule(
            _URL,
            "give the URL up to /chat/completions, for example https://api.openai.com/v1: http or https, "
            "host, port (1 to 65535) and path, without credentials (those go into apiKeySecretRef), query or fragment",
        ),
    )
    model: str = Field(min_length=1, max_length=256, description="Name of the model on that server.")
    api_key_secret_ref: SecretKeyRef | None = Field(
        default=None, description="API key, sent as a bearer token. Unset: no token is sent."
    )


class BoardroomSpec(Model):
    """The desired state of a board."""

    model_config = validated_by(
        rule(
            "!has(self.lorax) || !has(self.lorax.replicas) || self.lorax.replicas == 1 || !has(self.model.cache) || "
            "!has(self.model.cache.size) || "
            "(has(self.model.cache.accessMode) && self.model.cache.accessMode == 'ReadWriteMany')",
            "several LoRAX replicas can't share a ReadWriteOnce claim: set model.cache.accessMode: ReadWriteMany (with "
            "a storageClassName that offers it), name a claim that they can share (claimName), or leave model.cache "
            "out: each pod then downloads the model itself",
            ".model.cache",
        ),
        rule(
            "!has(self.lorax) || !has(self.lorax.adapterPolicy) || self.lorax.adapterPolicy == 'Dynamic' || "
            "(has(self.adapters) && has(self.adapters.downloads) && has(self.adapters.downloads.claimName)) || "
            "(has(self.adapters) && has(self.adapters.volume) && "
            "[has(self.adapters.volume.persistentVolumeClaim), has(self.adapters.volume.nfs), "
            "has(self.adapters.volume.csi), has(self.adapters.volume.hostPath)].exists(x, x))",
            "adapterPolicy Preloaded needs adapters that exist before LoRAX starts: set spec.adapters.volume, or "
            "spec.adapters.downloads.claimName for fetched ones",
            ".lorax.adapterPolicy",
        ),
        rule(
            "!has(self.maxMembers) || !has(self.lorax) || !has(self.lorax.maxConcurrentRequests) || "
            "self.maxMembers <= self.lorax.maxConcurrentRequests",
            "a question asks every member at once, and LoRAX refuses requests above maxConcurrentRequests: set "
            "lorax.maxConcurrentRequests to maxMembers or more, or lower maxMembers",
            ".lorax.maxConcurrentRequests",
        ),
    )

    model: BaseModelSpec = Field(description="The base model that every member shares.")
    enable_lorax: bool | None = Field(
        default=None,
        description="Run LoRAX for this board. Unset: the operator's AOS_ENABLE_LORAX (true).",
    )
    max_members: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Most members. Further BoardAgents are refused. Unset: the operator's AOS_MAX_MEMBERS (15).",
    )
    lorax: LoraxSpec = Field(default_factory=LoraxSpec, description="The LoRAX server and the GPU it runs on.")
    suspend: bool = Field(
        default=False,
        description="True: LoRAX's pods are deleted and their GPUs are free. All else stays; questions get 503.",
    )
    image_pull_secrets: tuple[LocalObjectReference, ...] = Field(
        default=(), max_length=16, description="Secrets to pull the images with.", json_schema_extra=map_list("name")
    )
    adapters: AdaptersSpec = Field(default_factory=AdaptersSpec, description="Where the members' adapters come from.")
    coordinator: CoordinatorSpec = Field(
        default_factory=CoordinatorSpec, description="The service that takes questions."
    )
    standard_inference: StandardInferenceSpec | None = Field(
        default=None,
        description="A second engine. It answers for a member whose LoRAX answer failed, for all members while LoRAX "
        "is down, for questions with use_lorax=false, and on a board without LoRAX. Each answer names its engine.",
    )
    deliberation: DeliberationSpec = Field(
        default_factory=DeliberationSpec, description="How the board answers a question that does not say how."
    )

    @property
    def allows_fetched_adapters(self) -> bool:
        """Whether members may use fetched adapters: a preloaded one must exist before LoRAX starts."""
        return not self.lorax.preloads or self.adapters.downloads.claim_name is not None


NAME_RULES = (
    rule(
        "self.metadata.name.size() <= 49 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "a Boardroom's name must be a DNS-1035 label of at most 49 characters (a-z, 0-9, '-', beginning with a "
        "letter): its Services are named after it",
    ),
    rule(
        "!has(self.spec.model.cache) || !has(self.spec.model.cache.claimName) || "
        "self.spec.model.cache.claimName != self.metadata.name + '-model-cache'",
        "this claim is the one that the operator makes: give spec.model.cache.size instead of claimName, or a claim of "
        "another name",
        ".spec.model.cache.claimName",
    ),
)

PRINTER_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0, "Whether the board answers."),
    ("Status", "string", '.status.conditions[?(@.type=="Ready")].reason', 0, "Reason of Ready."),
    ("Model", "string", ".spec.model.id", 0, "The base model."),
    ("Agents", "string", ".status.agents", 0, "Ready members / members."),
    ("LoRAX", "string", '.status.conditions[?(@.type=="LoraxReady")].status', 1, "Whether LoRAX is up."),
    ("Latency-ms", "integer", ".status.lorax.metrics.averageLatencyMs", 1, "Average over the last minute."),
    ("Endpoint", "string", ".status.endpoint", 1, "Where the coordinator listens."),
    ("Operator", "string", ".status.operator", 1, "Namespace of the operator that reconciles it."),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1, "Message of Ready."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since creation."),
)
