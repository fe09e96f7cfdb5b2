"""All that the builders know: the board, the settings in force for it, and the operator's own image."""

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
    """A container image and when the node pulls it."""

    name: str
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """What one board's objects are built from."""

    board: Boardroom
    defaults: Defaults
    image: Image
    """Our own image: coordinator and adapters sidecar run from it."""
    members: tuple[str, ...] = ()
    """Names of the BoardAgents whose status the coordinator writes."""
    in_force: EffectiveSettings | None = None
    """The settings by which the board's pods run, where those are not yet what the defaults say."""
    clusterwide: bool = True
    """Whether the operator looks at all namespaces, and so may have tokens reviewed for its boards."""
    preloaded: Mapping[str, str] = field(default_factory=dict)
    """The adapters that LoRAX loads when it starts: digests by path; empty unless the policy is Preloaded."""
    sources: tuple[Source, ...] = ()
    """Where their adapters are fetched from."""
    settings: EffectiveSettings = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", self.in_force or effective(self.board.spec, self.defaults))

    @property
    def spec(self) -> BoardroomSpec:
        """The board's spec."""
        return self.board.spec

    @property
    def auth(self) -> AuthSpec:
        """Who may ask the board; a spec that says nothing never means everybody."""
        given = self.spec.coordinator.auth
        if given is not None:
            return given
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
        """An object that the board owns, labelled and named, with `body` as its further top-level fields."""
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
        """ImagePullSecrets of a pod, or nothing."""
        references = [reference.to_object() for reference in self.spec.image_pull_secrets]
        return {"imagePullSecrets": references} if references else {}
