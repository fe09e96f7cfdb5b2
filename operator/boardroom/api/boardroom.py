"""The Boardroom kind: a base model on a GPU, an adapters volume, and how a question is put to the board."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from boardroom.api.conversation import ConversationsSpec
from boardroom.api.lorax import LoraxSpec
from boardroom.api.meta import DOWNLOADS_PATH
from boardroom.api.model import SET, Model, ObjectName, Quantity, SecretKeyRef, checked, map_list, rule
from boardroom.api.pods import EnvVar, ResourceRequirements

Path = Annotated[
    str, StringConstraints(min_length=2, max_length=512, pattern=r"^/[A-Za-z0-9._/-]+$")
]  # an absolute path without blanks or control characters: LoRAX aborts on a newline in an adapter id


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
    size: Quantity | None = Field(
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
        pattern=r"^[A-Za-z0-9._/-]+$",
        description="Hugging Face id of the base model, or its directory when source is Local.",
    )
    revision: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9._/-]+$",
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


class PersistentVolumeClaimSource(Model):
    """A claim in the board's namespace."""

    claim_name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")


class NfsSource(Model):
    """An NFS export."""

    server: str = Field(min_length=1, max_length=253, description="Host name or address of the NFS server.")
    path: Path = Field(description="Exported path.")


class CsiSource(Model):
    """An inline CSI volume."""

    driver: str = Field(min_length=1, max_length=253, description="Name of the CSI driver.")
    fs_type: str | None = Field(default=None, max_length=32, description="File system type the driver should mount.")
    volume_attributes: dict[str, Annotated[str, StringConstraints(max_length=1024)]] | None = Field(
        default=None, max_length=32, description="Attributes that the driver understands."
    )


class HostPathSource(Model):
    """A directory of the node; for development, refused by Pod Security baseline."""

    path: Path = Field(description="Directory on the node.")


class AdapterVolume(Model):
    """At most one source; without one the volume is empty and only members without an adapter can speak."""

    model_config = checked(
        rule(
            "[has(self.persistentVolumeClaim), has(self.nfs), has(self.csi), has(self.hostPath)]"
            ".filter(x, x).size() <= 1",
            "give at most one of persistentVolumeClaim, nfs, csi, hostPath",
        )
    )
    persistent_volume_claim: PersistentVolumeClaimSource | None = Field(
        default=None, description="A PersistentVolumeClaim in the same namespace."
    )
    nfs: NfsSource | None = Field(default=None, description="An NFS export.")
    csi: CsiSource | None = Field(default=None, description="An inline CSI volume.")
    host_path: HostPathSource | None = Field(default=None, description="A directory of the node, for development.")


class LocalObjectReference(Model):
    """An object in the same namespace."""

    name: ObjectName = Field(description="Name of the object.")


class AdapterDownloads(Model):
    """Where fetched adapters lie in the LoRAX pod."""

    claim_name: ObjectName | None = Field(
        default=None,
        description="A PersistentVolumeClaim that keeps them when the pod goes. Unset: an emptyDir, and each new pod "
        "fetches them again.",
    )
    size_limit: Quantity = Field(
        default="20Gi", description="What they may take together; more is not fetched, and the member says so."
    )


class AdaptersSpec(Model):
    """Where the members' LoRA adapters are, and what is asked of one before LoRAX sees it."""

    model_config = checked(
        rule(
            f"!(self.mountPath in ['/data', '/dev/shm', '{DOWNLOADS_PATH}'])"
            f" && !self.mountPath.startsWith('{DOWNLOADS_PATH}/')",
            f"/data holds the model cache, /dev/shm the shared memory and {DOWNLOADS_PATH} fetched adapters; "
            "choose another mountPath",
            ".mountPath",
        )
    )
    mount_path: Path = Field(default="/models", description="Where the volume is mounted in the LoRAX pod, read-only.")
    volume: AdapterVolume = Field(default_factory=AdapterVolume, description="The volume that holds the adapters.")
    downloads: AdapterDownloads = Field(
        default_factory=AdapterDownloads, description="Where adapters from a hub or from S3 are kept."
    )
    credentials_secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="The Secret by which the sidecar fetches adapters. Keys: HF_TOKEN, sent to huggingface.co or, "
        "where HF_ENDPOINT is given, to that endpoint only; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
        "AWS_SESSION_TOKEN, AWS_REGION. A change counts within two minutes, without a restart.",
    )
    base_models: tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...] = Field(
        default=(),
        max_length=32,
        description="Further names by which an adapter_config.json may call this base model (base_model_name_or_path), "
        "for example its quantised twin's. An adapter that names another model is refused.",
        json_schema_extra=SET,
    )
    max_rank: int = Field(
        default=64, ge=1, le=512, description="Highest LoRA rank; above 64 LoRAX goes on without CUDA graphs."
    )
    max_size: Quantity = Field(
        default="2Gi",
        description="Most that one adapter's weights may weigh. LoRAX keeps a tenth of the GPU's memory for adapters "
        "unless --adapter-memory-fraction in spec.lorax.extraArgs says otherwise.",
    )


AuthMode = Literal["Kubernetes", "ApiKey", "None"]


class ApiKeySecretRef(Model):
    """A Secret with API keys."""

    name: ObjectName = Field(description="Name of the Secret, in the board's namespace.")
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Only this key of the Secret's data; unset, all of them.",
    )


class AuthSpec(Model):
    """Who may ask the board."""

    model_config = checked(
        rule(
            "(self.mode == 'ApiKey') == has(self.apiKeySecretRef)",
            "mode ApiKey needs apiKeySecretRef (a Secret of this namespace), and no other mode takes it",
        )
    )
    mode: AuthMode = Field(
        description="Kubernetes: whose bearer token has the audience `boardroom` and may `create boardrooms/ask` of "
        "this board; needs an operator that looks at all namespaces. ApiKey: who sends one of the Secret's keys as "
        "bearer token. None: whoever reaches the coordinator."
    )
    api_key_secret_ref: ApiKeySecretRef | None = Field(
        default=None,
        description="ApiKey: the Secret. Each value holds one key a line, of at least 16 characters; several are "
        "valid at once, so that they can be rotated, and a change counts within two minutes without a restart.",
    )


class CoordinatorSpec(Model):
    """The service in front of LoRAX."""

    model_config = checked(
        rule(
            "!has(self.env) || self.env.all(e, e.name.startsWith('OTEL_'))",
            "env takes variables of OpenTelemetry only (OTEL_...); all else has a field of its own",
            ".env",
        )
    )
    auth: AuthSpec | None = Field(
        default=None,
        description="Who may ask the board. Unset: mode Kubernetes under an operator that looks at all namespaces, "
        "else mode ApiKey with the Secret BOARD-api-keys. The effective value stands in status.auth.",
    )

    replicas: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Coordinators, each a pod that takes questions. One of them, by a Lease, loads and proves adapters "
        "and writes status; the others send to LoRAX while it lets them, and one of them takes over when it ends. "
        "Without conversations.redis a conversation is known to the pod that was asked, and to no other.",
    )
    resources: ResourceRequirements | None = Field(default=None, description="Resources of the coordinator container.")
    env: tuple[EnvVar, ...] = Field(
        default=(),
        max_length=32,
        description="OpenTelemetry's variables, for example OTEL_EXPORTER_OTLP_ENDPOINT, which switches tracing on "
        "(docs/observability.md).",
        json_schema_extra=map_list("name"),
    )
    request_timeout_seconds: int = Field(
        default=120, ge=1, le=3600, description="Deadline of a question that names none, in seconds."
    )
    conversations: ConversationsSpec = Field(
        default_factory=ConversationsSpec,
        description="What is remembered of questions with the same conv_id, and where.",
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
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="All that stands before /chat/completions, for example https://api.openai.com/v1; no credentials, "
        "query or fragment.",
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
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1, "Why, in words."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Since when it exists."),
)
