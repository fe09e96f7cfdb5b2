"""What a board names and the cluster lacks is said with its remedy, and heals by itself once it is there.

Kubelet and scheduler are played: they say what they say of such a pod, and then that it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration.boards import MODEL, agent, board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import play_kubelet, play_scheduler
from tools.waiting import until

SECONDS = 10.0
NO_CLAIM = 'persistentvolumeclaim "{name}" not found'
CONFIG = "CreateContainerConfigError"


def kubelet(component: str, why: str, said: str) -> Callable[[KubeApi], None]:
    return lambda kube: play_kubelet(kube, component, waiting={"reason": why, "message": said})


def scheduler(said: str) -> Callable[[KubeApi], None]:
    return lambda kube: play_scheduler(kube, "lorax", said)


def nobody(_: KubeApi) -> None:
    """The API server itself finds it."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A spec that names something, who finds that it is missing, and what then makes it good."""

    spec: Object
    missing: Object | None = None
    """What is created then, where it is one object of the API server."""
    finds: Callable[[KubeApi], None] = nobody
    runs: str = "lorax"
    """The component whose pod runs then."""
    condition: str = "LoraxReady"
    reason: str
    words: tuple[str, ...]
    healed: tuple[str, str] = ("True", "Ready")
    agents: tuple[Object, ...] = field(default=())


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def claim(name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


KEY = {"name": "the-secret", "key": "token"}
REFERENCES: dict[str, Reference] = {
    "model.tokenSecretRef": Reference(
        spec={"model": {"id": MODEL, "tokenSecretRef": KEY}},
        missing=secret("the-secret", token="t"),
        finds=kubelet("lorax", CONFIG, 'secret "the-secret" not found'),
        reason="SecretNotFound",
        words=("spec.model.tokenSecretRef", 'secret "the-secret" not found'),
    ),
    "model.tokenSecretRef.key": Reference(
        spec={"model": {"id": MODEL, "tokenSecretRef": KEY}},
        missing=secret("the-secret", token="t"),
        finds=kubelet("lorax", CONFIG, "couldn't find key token in Secret team/the-secret"),
        reason="SecretKeyNotFound",
        words=("spec.model.tokenSecretRef", "put that key into the Secret"),
    ),
    "lorax.env.secretKeyRef": Reference(
        spec={"lorax": {"env": [{"name": "X", "secretKeyRef": KEY}]}},
        missing=secret("the-secret", token="t"),
        finds=kubelet("lorax", CONFIG, 'secret "the-secret" not found'),
        reason="SecretNotFound",
        words=("spec.lorax.env",),
    ),
    "model.cache.claimName": Reference(
        spec={"model": {"id": MODEL, "cache": {"claimName": "weights"}}},
        missing=claim("weights"),
        finds=scheduler(NO_CLAIM.format(name="weights")),
        reason="ClaimNotFound",
        words=("create it", '"weights" not found'),
    ),
    "adapters.volume.persistentVolumeClaim": Reference(
        spec={"adapters": {"volume": {"persistentVolumeClaim": {"claimName": "board-adapters"}}}},
        missing=claim("board-adapters"),
        finds=scheduler(NO_CLAIM.format(name="board-adapters")),
        reason="ClaimNotFound",
        words=("create it", '"board-adapters" not found'),
    ),
    "model.cache.storageClassName": Reference(
        spec={"model": {"id": MODEL, "cache": {"size": "1Gi", "storageClassName": "fast"}}},
        finds=scheduler("pod has unbound immediate PersistentVolumeClaims."),
        reason="ClaimNotBound",
        words=("StorageClass fast exists", "executive-model-cache"),
    ),
    "imagePullSecrets": Reference(
        spec={"imagePullSecrets": [{"name": "registry"}]},
        missing=secret("registry", x="y"),
        finds=kubelet("lorax", "ErrImagePull", "401 Unauthorized"),
        reason="ImagePullFailed",
        words=("spec.imagePullSecrets", "401 Unauthorized"),
    ),
    "lorax.resourceClaims": Reference(
        spec={"lorax": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "h100"}]}},
        finds=scheduler("waiting for dynamic resource controller to create the resourceclaim"),
        reason="DevicesNotAllocated",
        words=("ResourceClaim h100", "spec.lorax.resourceClaims"),
    ),
    "lorax.runtimeClassName": Reference(
        spec={"lorax": {"runtimeClassName": "the-runtime"}},
        missing={
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "the-runtime"},
            "handler": "x",
        },
        reason="RuntimeClassNotFound",
        words=("spec.lorax.runtimeClassName",),
    ),
    "lorax.priorityClassName": Reference(
        spec={"lorax": {"priorityClassName": "the-priority"}},
        missing={
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "the-priority"},
            "value": 7,
        },
        reason="PriorityClassNotFound",
        words=("spec.lorax.priorityClassName",),
    ),
    "coordinator.auth.apiKeySecretRef": Reference(
        spec={"coordinator": {"auth": {"mode": "ApiKey", "apiKeySecretRef": {"name": "keys"}}}},
        missing=secret("keys", one="0123456789abcdef"),
        finds=lambda kube: play_kubelet(kube, "coordinator", running={}),  # it runs, and says that it is not ready
        runs="coordinator",
        condition="CoordinatorReady",
        reason="Starting",
        words=("Secret keys", "spec.coordinator.auth.apiKeySecretRef"),
    ),
    "standardInference.apiKeySecretRef": Reference(
        spec={"standardInference": {"url": "https://example.com/v1", "model": "m", "apiKeySecretRef": KEY}},
        missing=secret("the-secret", token="t"),
        finds=kubelet("coordinator", CONFIG, 'secret "the-secret" not found'),
        runs="coordinator",
        condition="CoordinatorReady",
        reason="SecretNotFound",
        words=("spec.standardInference.apiKeySecretRef",),
    ),
    "coordinator.conversations.redis.passwordSecretRef": Reference(
        spec={"coordinator": {"conversations": {"redis": {"host": "redis", "passwordSecretRef": KEY}}}},
        missing=secret("the-secret", token="t"),
        finds=kubelet("coordinator", CONFIG, 'secret "the-secret" not found'),
        runs="coordinator",
        condition="CoordinatorReady",
        reason="SecretNotFound",
        words=("spec.coordinator.conversations.redis.passwordSecretRef",),
    ),
    "deliberation.chairRef": Reference(
        spec={"deliberation": {"chairRef": {"name": "coo"}}},
        missing=agent("COO"),
        agents=(agent("CEO"),),
        runs="",
        condition="AgentsReady",
        reason="NoneReady",
        words=("spec.deliberation.chairRef names BoardAgent coo, which is no member",),
        healed=("False", "NoneReady"),
    ),
}
CLUSTER_SCOPED = {
    "RuntimeClass": "/apis/node.k8s.io/v1/runtimeclasses",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
}


def make(kube: KubeApi, obj: Object | None) -> None:
    if obj is None:
        return
    if root := CLUSTER_SCOPED.get(obj["kind"]):
        kube.http.post(root, json=obj).raise_for_status()
    else:
        kube.create(obj)


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_missing_is_said_and_heals(operator: OperatorProcess, kube: KubeApi, name: str) -> None:
    reference = REFERENCES[name]
    kube.create(board(**reference.spec))
    for member in reference.agents:
        kube.create(member)

    def condition() -> Object:
        return kube.condition("Boardroom", "executive", reference.condition)

    reference.finds(kube)
    until("it is said", lambda: condition()["reason"] == reference.reason, SECONDS)
    until("the words", lambda: all(word in condition()["message"] for word in reference.words), SECONDS)
    assert kube.condition("Boardroom", "executive", "Stalled")["status"] == "False"

    make(kube, reference.missing)
    if reference.runs:
        play_kubelet(kube, reference.runs)
    until("it is well", lambda: (condition()["status"], condition()["reason"]) == reference.healed, 60.0)
    until("nothing is said of it", lambda: not any(word in condition()["message"] for word in reference.words), SECONDS)


def test_an_agent_waits_for_its_board(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(agent("CEO"))

    def accepted() -> Any:
        return kube.condition("BoardAgent", "ceo", "Accepted")["reason"]

    until("it is said", lambda: accepted() == "BoardroomNotFound", SECONDS)
    assert "create it" in kube.condition("BoardAgent", "ceo", "Accepted")["message"]
    kube.create(board())
    until("it is accepted", lambda: accepted() == "Accepted", SECONDS)
