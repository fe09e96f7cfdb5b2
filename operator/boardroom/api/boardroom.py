"""The Boardroom kind: a base model on a GPU, an adapters volume, and how a question is put to the board."""

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
    checked,
    map_list,
    rule,
    said,
)
from boardroom.api.quantity import Size
from boardroom.api.volume import AdaptersSpec

_URL: Final = rf"^https?://(\[[0-9A-Fa-f:.]+\]|[^ \t-\r/?#@:\[\]]+)(:{PORT})?(/[^ \t-\r?#]*)?$"


class ModelCache(Model):
    """Where downloaded base-model weights are kept (/data in the LoRAX pod)."""

    model_config = checked(
        rule(
            "!(has(self.claimName) && (has(self.size) || has(self.storageClassName)))",
            "give either claimName (a claim that exists) or size (a claim that the operator makes), not both",
        ),
        rule("!has(self.storageClassName) || has(self.size)", "storageClassName needs size", ".storageClassName"),
        rule("!has(self.accessMode) || has(self.size)", "accessMode needs size", ".accessMode"),
        rule(
            "!has(self.whenDeleted) || has(self.size)",
            "whenDeleted needs size: a claim that you named yourself is never deleted",
            ".whenDeleted",
        ),
    )
    claim_name: ObjectName | None = Field(default=None, description="An existing PersistentVolumeClaim to use.")
    size: Size | None = Field(
        default=None, description="Size of the claim `<board>-model-cache` that the operator makes, for example 50Gi."
    )
    storage_class_name: ObjectName | None = Field(
        default=None, description="Storage class of the claim that the operator makes; the cluster's default if unset."
    )
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] | None = Field(
        default=None,
        description="Access mode of the claim that the operator makes. Unset: ReadWriteOnce. Several LoRAX replicas "
        "need ReadWriteMany. A claim that is there can't be changed: delete it, and it is made anew.",
    )
    when_deleted: Literal["Delete", "Retain"] | None = Field(
        default=None,
        description="What becomes of the claim that the operator makes when the Boardroom is deleted. Delete (or "
        "unset): it goes with it. Retain: it stays, and a Boardroom made later under the same name uses it again.",
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
        description="Git revision of the model on the hub; pin a commit for reproducible boards.",
    )
    source: Literal["Hub", "Local"] = Field(
        default="Hub", description="Hub downloads the model; Local reads it from a directory of the model cache."
    )
    token_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Hugging Face token for gated models, given to LoRAX as HF_TOKEN."
    )
    cache: ModelCache | None = Field(
        default=None, description="Keeps the weights across pods; without it each new pod downloads them again."
    )


class DeliberationSpec(Model):
    """How a question is put to the board when it doesn't say."""

    default_mode: Literal["Parallel", "Sequential", "Hierarchical", "Collaborative", "Consensus"] = Field(
        default="Parallel",
        description="Parallel: all members at once, in one LoRAX batch. Sequential: each sees the answers before it. "
        "Hierarchical: all but the chair at once, then the chair makes one answer of theirs. Collaborative: rounds, "
        "each a batch in which everybody sees the last one. Consensus: everybody votes on the question as a "
        "proposal, by weight (spec.weight of a BoardAgent), with quorum and vetoes.",
    )
    chair_ref: LocalObjectReference | None = Field(
        default=None,
        description="The BoardAgent that chairs Hierarchical questions. Unset, or without a seat: the member with the "
        "role CEO, else the first by name.",
    )
    rounds: int = Field(
        default=3,
        ge=1,
        le=8,
        description="Collaborative: at most so many rounds; fewer when nobody changes position.",
    )
    quorum_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Consensus: the share of the asked members' weight that must take a position (an abstention is "
        "one) for the vote to count.",
    )


class StandardInferenceSpec(Model):
    """A second engine: any server with OpenAI's chat route. It speaks with a member's prompt, without its adapter."""

    url: str = Field(
        min_length=8,
        max_length=2048,
        pattern=_URL,
        description="All that stands before /chat/completions, for example https://api.openai.com/v1; no credentials, "
        "query or fragment.",
        json_schema_extra=said(
            _URL,
            "give all that stands before /chat/completions, for example https://api.openai.com/v1: http or https, "
            "host, port (1 to 65535) and path, without credentials (those go into apiKeySecretRef), query or fragment",
        ),
    )
    model: str = Field(min_length=1, max_length=256, description="The model's name there.")
    api_key_secret_ref: SecretKeyRef | None = Field(
        default=None, description="The key that goes along as a bearer token; without it none is sent."
    )


class BoardroomSpec(Model):
    """What a board is made of."""

    model_config = checked(
        rule(
            "!has(self.lorax) || !has(self.lorax.replicas) || self.lorax.replicas == 1 || !has(self.model.cache) || "
            "!has(self.model.cache.size) || "
            "(has(self.model.cache.accessMode) && self.model.cache.accessMode == 'ReadWriteMany')",
            "several LoRAX replicas can't share a ReadWriteOnce claim: set model.cache.accessMode: ReadWriteMany (with "
            "a storageClassName that has it), name a claim that they can share (claimName), or leave model.cache out: "
            "then each pod downloads the model for itself",
            ".model.cache",
        ),
        rule(
            "!has(self.lorax) || !has(self.lorax.adapterPolicy) || self.lorax.adapterPolicy == 'Dynamic' || "
            "(has(self.adapters) && has(self.adapters.downloads) && has(self.adapters.downloads.claimName)) || "
            "(has(self.adapters) && has(self.adapters.volume) && "
            "[has(self.adapters.volume.persistentVolumeClaim), has(self.adapters.volume.nfs), "
            "has(self.adapters.volume.csi), has(self.adapters.volume.hostPath)].exists(x, x))",
            "adapterPolicy Preloaded needs adapters that are there when LoRAX starts: set spec.adapters.volume, or "
            "spec.adapters.downloads.claimName for fetched ones",
            ".lorax.adapterPolicy",
        ),
        rule(
            "!has(self.maxMembers) || !has(self.lorax) || !has(self.lorax.maxConcurrentRequests) || "
            "self.maxMembers <= self.lorax.maxConcurrentRequests",
            "a question asks every member at once, and LoRAX would refuse what is above maxConcurrentRequests: set "
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
        description="Members beyond this number are refused. Unset: the operator's AOS_MAX_MEMBERS (15).",
    )
    lorax: LoraxSpec = Field(default_factory=LoraxSpec, description="The LoRAX server and the GPU it runs on.")
    suspend: bool = Field(
        default=False,
        description="True: LoRAX's pod goes and its GPU is free for others; all else stays, and questions get 503.",
    )
    image_pull_secrets: tuple[LocalObjectReference, ...] = Field(
        default=(), max_length=16, description="Secrets to pull the images with.", json_schema_extra=map_list("name")
    )
    adapters: AdaptersSpec = Field(default_factory=AdaptersSpec, description="Where the members' adapters are.")
    coordinator: CoordinatorSpec = Field(
        default_factory=CoordinatorSpec, description="The service that takes questions."
    )
    standard_inference: StandardInferenceSpec | None = Field(
        default=None,
        description="Answers for a member whose LoRAX answer failed, for all while LoRAX is down, for questions with "
        "use_lorax=false, and for a board without LoRAX. Each answer names its engine.",
    )
    deliberation: DeliberationSpec = Field(
        default_factory=DeliberationSpec, description="How a question is put to the board when it doesn't say."
    )

    @property
    def takes_fetched(self) -> bool:
        """Whether members may speak through fetched adapters: a preloaded one must be there before LoRAX starts."""
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
    ("Status", "string", '.status.conditions[?(@.type=="Ready")].reason', 0, "Why, in one word."),
    ("Model", "string", ".spec.model.id", 0, "The base model."),
    ("Agents", "string", ".status.agents", 0, "Members ready / members of the board."),
    ("LoRAX", "string", '.status.conditions[?(@.type=="LoraxReady")].status', 1, "Whether LoRAX is up."),
    ("Latency-ms", "integer", ".status.lorax.metrics.averageLatencyMs", 1, "Average over the last minute."),
    ("Endpoint", "string", ".status.endpoint", 1, "Where the coordinator listens."),
    ("Operator", "string", ".status.operator", 1, "Namespace of the operator that reconciles it."),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1, "Why, in words."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Since when it exists."),
)
