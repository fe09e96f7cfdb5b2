"""The condition of a Deployment that is created, replaced, refused or up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from boardroom.controller.status.messages import coordinator_messages, lorax_messages
from boardroom.controller.status.workload import workload
from unit.controller.objects import Object, blueprint, container, deployment, pod, unschedulable

NOW = datetime(2026, 11, 23, 0, 1, tzinfo=UTC)
WORDS = lorax_messages(blueprint())
UP = container(ready=True, started=True)
FAILURE = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
UNGATED = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}
OVERDUE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def rejected(message: str) -> Object:
    return deployment(conditions=[FAILURE | {"message": message}], updatedReplicas=0)


def paused(**status: Any) -> Object:
    found = deployment(**status)
    found["spec"]["paused"] = True
    return found


def several(replicas: int) -> Object:
    found = deployment(strategy="RollingUpdate", replicas=replicas, updatedReplicas=replicas, readyReplicas=replicas)
    found["spec"]["replicas"] = replicas
    return found


def named(name: str, created: str = "2026-11-23T00:00:00Z") -> Object:
    return {"name": name, "creationTimestamp": created}


READY = [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]
OLD = pod(UP, metadata=named("old"), conditions=READY)
NEW = pod(UP, metadata=named("new", "2026-11-23T00:00:30Z"), conditions=READY)


CASES: dict[str, tuple[Object | None, list[Object], tuple[str, str, bool], str]] = {
    "no Deployment": (None, [], ("False", "Creating", False), "being created"),
    "not seen by its controller": (deployment(observedGeneration=0), [], ("False", "Creating", False), "created"),
    "refused by Pod Security": (
        rejected('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'),
        [],
        ("False", "PodSecurity", True),
        "kubectl label namespace team pod-security.kubernetes.io/enforce=baseline",
    ),
    "refused by quota": (
        rejected("exceeded quota: gpu"),
        [],
        ("False", "QuotaExceeded", False),
        "raise it or free some",
    ),
    "no priority class": (
        rejected('pods "x" is forbidden: no PriorityClass with name gold was found'),
        [],
        ("False", "PriorityClassNotFound", False),
        "create the PriorityClass or change spec.lorax.priorityClassName",
    ),
    "no runtime class": (
        rejected('pods "x" is forbidden: pod rejected: RuntimeClass "nvidia" not found'),
        [],
        ("False", "RuntimeClassNotFound", False),
        "create the RuntimeClass or change spec.lorax.runtimeClassName",
    ),
    "refused for its RuntimeClass by another": (
        rejected("admission webhook denied the request: RuntimeClass must be gvisor"),
        [],
        ("False", "FailedCreate", False),
        "RuntimeClass must be gvisor",
    ),
    "refused for want of limits": (
        rejected('pods "x" is forbidden: failed quota: compute: must specify limits.cpu for: adapters,lorax'),
        [],
        ("False", "ResourcesRequired", False),
        "defaults by a LimitRange",
    ),
    "refused before the last edit": (
        deployment(generation=2, conditions=[FAILURE | {"message": "violates PodSecurity"}], updatedReplicas=0),
        [],
        ("False", "Updating", False),
        "being replaced",
    ),
    "the new pod is refused while the old one serves": (
        deployment(strategy="RollingUpdate", conditions=[FAILURE | {"message": "exceeded quota"}], updatedReplicas=0),
        [pod(UP)],
        ("True", "Updating", False),
        "LoRAX is up; its pod is being replaced; of the new one: a ResourceQuota",
    ),
    "one more is refused while the others serve": (
        several(2) | {"status": several(1)["status"] | {"conditions": [FAILURE | {"message": "exceeded quota"}]}},
        [pod(UP)],
        ("True", "SomeReady", False),
        "LoRAX is up in 1 of 2 pods; of another: a ResourceQuota",
    ),
    "paused": (
        paused(updatedReplicas=0),
        [],
        ("False", "Paused", True),
        "kubectl rollout resume deployment/executive-lorax -n team",
    ),
    "paused, and nothing to replace": (paused(), [pod(UP)], ("True", "Ready", False), "LoRAX is up"),
    "up as a node said that reports no more": (
        deployment(),
        [pod(UP, conditions=[{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}])],
        ("False", "NodeLost", False),
        "the node of pod executive-lorax-1 reports no more",
    ),
    "up, and not ready by a gate": (
        deployment(),
        [pod(UP, conditions=[UNGATED, {"type": "ContainersReady", "status": "True"}])],
        ("True", "Ready", False),
        "LoRAX is up",
    ),
    "refused otherwise": (rejected("webhook says no"), [], ("False", "FailedCreate", False), "webhook says no"),
    "edited": (deployment(generation=2), [pod(UP)], ("False", "Updating", False), "being replaced"),
    "no new pod yet": (deployment(updatedReplicas=0), [pod(UP)], ("False", "Updating", False), "being replaced"),
    "the old pod's end not heard yet, the new one not up": (
        deployment(readyReplicas=0),
        [OLD],
        ("False", "Starting", False),
        "LoRAX is starting",
    ),
    "the old pod's end never heard, the new one up": (
        deployment(),
        [OLD, NEW],
        ("True", "Ready", False),
        "LoRAX is up",
    ),
    "the new pod starts while the old one serves": (
        deployment(strategy="RollingUpdate", replicas=2),
        [OLD, pod(container(), metadata=named("new"))],
        ("True", "Updating", False),
        "LoRAX is up; its pod is being replaced; of the new one: LoRAX is starting",
    ),
    "the new pod is up, the old one not told to end yet": (
        deployment(strategy="RollingUpdate", replicas=2, readyReplicas=2),
        [OLD, NEW],
        ("True", "Updating", False),
        "LoRAX is up; its pod is being replaced",
    ),
    "the new pod's image can't be pulled while the old one serves": (
        deployment(strategy="RollingUpdate", replicas=2),
        [
            OLD,
            pod(container(waiting={"reason": "ImagePullBackOff", "message": "no such tag"}), metadata=named("new")),
        ],
        ("True", "Updating", True),
        "of the new one: image lorax:1 of container lorax can't be pulled",
    ),
    "a broken new pod is still to go, and the next template has no pod yet": (
        deployment(strategy="RollingUpdate", replicas=2, updatedReplicas=0),
        [OLD, pod(container(waiting={"reason": "ImagePullBackOff"}), metadata=named("new"))],
        ("True", "Updating", False),
        "LoRAX is up; its pod is being replaced",
    ),
    "the new pod's image can't be pulled, and the old one is down": (
        deployment(strategy="RollingUpdate", replicas=2, readyReplicas=0),
        [
            pod(container(), metadata=named("old")),
            pod(
                container(waiting={"reason": "ImagePullBackOff"}),
                metadata=named("new", "2026-11-23T00:00:30Z"),
            ),
        ],
        ("False", "ImagePullFailed", True),
        "can't be pulled",
    ),
    "back to an earlier template, whose ReplicaSet the message does not name": (
        deployment(
            conditions=[
                {"type": "Progressing", "status": "True", "message": 'ReplicaSet "B" has successfully progressed.'}
            ],
        ),
        [pod(UP, metadata={"ownerReferences": [{"kind": "ReplicaSet", "name": "A", "controller": True}]})],
        ("True", "Ready", False),
        "LoRAX is up",
    ),
    "up": (deployment(), [pod(UP)], ("True", "Ready", False), "LoRAX is up"),
    "up in one of two pods, the other can't be placed": (
        several(2),
        [
            pod(UP, metadata={"name": "a"}),
            pod(metadata={"name": "b"}, conditions=[unschedulable("0/1 nodes: insufficient nvidia.com/gpu")]),
        ],
        ("True", "SomeReady", False),
        "LoRAX is up in 1 of 2 pods; of another: ",
    ),
    "up in one of two pods, the other is to come": (
        several(2),
        [pod(UP)],
        ("True", "SomeReady", False),
        "LoRAX is up in 1 of 2 pods; of another: LoRAX waits for its pod",
    ),
    "up in both": (
        several(2),
        [pod(UP, metadata={"name": "a"}), pod(UP, metadata={"name": "b"})],
        ("True", "Ready", False),
        "LoRAX is up",
    ),
    "up, sidecar not": (
        deployment(),
        [pod(UP, container("adapters"))],
        ("True", "Ready", False),
        "LoRAX is up; not ready beside it: adapters",
    ),
    "only a pod that goes": (
        deployment(),
        [pod(UP, metadata={"deletionTimestamp": "2026-11-23T00:00:30Z"})],
        ("False", "Starting", False),
        "waits for its pod",
    ),
    "too late": (
        deployment(conditions=[OVERDUE]),
        [pod(container())],
        ("False", "Starting", True),
        "not up within 2700 s",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_a_deployment(case: str) -> None:
    live, pods, expected, words = CASES[case]
    value = workload(live, pods, WORDS, NOW)
    assert (value.status, value.reason, value.stalled) == expected
    assert words in value.message


def test_the_newest_pod_speaks_for_the_workload() -> None:
    old = pod(container(waiting={"reason": "ImagePullBackOff"}))
    new = pod(container(), metadata={"name": "executive-lorax-2", "creationTimestamp": "2026-11-23T00:00:30Z"})
    assert workload(deployment(), [new, old], WORDS, NOW).reason == "Starting"


def test_a_coordinator_that_rolls_stays_up_and_says_so() -> None:
    rolling = deployment(generation=2, strategy="RollingUpdate")
    value = workload(rolling, [pod(container("coordinator", ready=True))], coordinator_messages(blueprint()), NOW)
    assert (value.status, value.reason, value.changing) == ("True", "Updating", True)
