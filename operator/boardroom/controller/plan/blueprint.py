"""The input of all builders: a board, its settings, and the operator's own image."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boardroom.api import meta
from boardroom.api.adapter import Source
from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.coordinator import ApiKeySecretRef, AuthSpec
from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults, effective
from boardroom.api.status import EffectiveSettings
from boardroom.kube.kinds import Kind, Object


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image and its pull policy."""

    name: str
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """The input for one board's objects."""

    board: Boardroom
    defaults: Defaults
    image: Image
    """The operator's own image, from which coordinator and adapters sidecar run."""
    members: tuple[str, ...] = ()
    """Names of the BoardAgents whose status the coordinator writes."""
    in_force: EffectiveSettings | None = None
    """The settings of the board's running pods, while the operator's new defaults wait for the rollout."""
    clusterwide: bool = True
    """Whether the operator watches all namespaces, and so may grant its boards TokenReview."""
    preloaded: Mapping[str, str] = field(default_factory=dict)
    """The adapters that LoRAX loads at its start: digests by path; empty unless adapterPolicy is Preloaded."""
    sources: tuple[Source, ...] = ()
    """The servers that the members' adapters are fetched from."""
    settings: EffectiveSettings = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", self.in_force or effective(self.board.spec, self.defaults))

    @property
    def spec(self) -> BoardroomSpec:
        """The board's spec."""
        return self.board.spec

    @property
    def auth(self) -> AuthSpec:
        """The authentication of callers. The default is never open: Kubernetes if clusterwide, else an API key."""
        auth = self.spec.coordinator.auth
        if auth is not None:
            return auth
        if self.clusterwide:
            return AuthSpec(mode="Kubernetes")
        return AuthSpec(mode="ApiKey", api_key_secret_ref=ApiKeySecretRef(name=meta.api_keys_name(self.name)))

    @property
    def name(self) -> str:
        """The board's name."""
        return self.board.metadata.name

    @property
    def namespace(self) -> str:
        """The board's namespace."""
        return self.board.metadata.namespace

    def manifest(self, kind: Kind, name: str, component: str, **body: object) -> Object:
        """The manifest of an object that the board owns; `body` are its top-level fields beside metadata."""
        owner = meta.owner_reference(meta.BOARDROOM, {"name": self.name, "uid": self.board.metadata.uid})
        return {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": meta.labels(self.name, component),
                "ownerReferences": [owner],
            },
            **body,
        }

    def pull_secrets(self) -> Object:
        """The field imagePullSecrets of a pod; empty if there are none."""
        references = [reference.to_object() for reference in self.spec.image_pull_secrets]
        return {"imagePullSecrets": references} if references else {}
