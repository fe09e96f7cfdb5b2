"""Why a pod is not ready, with the remedy."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from boardroom.controller.status.messages import lorax_messages
from boardroom.controller.status.pod_problems import PodUnderTest, explain
from unit.controller.objects import MODEL, Object, blueprint, container, pod, unschedulable

NOW = datetime(2026, 11, 23, 0, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 0, 2, tzinfo=UTC)
WORDS = lorax_messages(blueprint())
UNPREPARED = {"type": "PodReadyToStartContainers", "status": "False"}
READY = {"type": "Ready", "status": "True"}
CONTAINERS_READY = {"type": "ContainersReady", "status": "True"}
NO_KEY = "couldn't find key token in Secret team/hf"
NO_ROOM = "runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)"


def placed(minutes: int) -> Object:
    at = (NOW + timedelta(minutes=minutes)).isoformat()
    return {"type": "PodScheduled", "status": "True", "lastTransitionTime": at}


CEASED = {"type": "ContainersReady", "status": "False", "lastTransitionTime": "2026-11-23T00:00:20Z"}


def ceased(*, started: str, **state: Any) -> Object:
    """A pod that ceased to be ready at 20 s past the minute, and whose container runs since `started`."""
    return pod(container(started=True, running={"startedAt": started}, **state), conditions=[CEASED])


CASES: dict[str, tuple[Object, tuple[str, bool], str]] = {
    "not placed yet": (pod(), ("Starting", False), "waits for a node"),
    "no GPU free": (
        pod(conditions=[unschedulable("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")]),
        ("InsufficientGpu", False),
        "add a node with 1 nvidia.com/gpu, free one, or change spec.lorax.gpu",
    ),
    "no node fits": (
        pod(conditions=[unschedulable("node(s) didn't match Pod's node affinity/selector")]),
        ("Unschedulable", False),
        "change spec.lorax.gpu, nodeSelector, affinity or tolerations",
    ),
    "no claim": (
        pod(conditions=[unschedulable('persistentvolumeclaim "board-adapters" not found')]),
        ("ClaimNotFound", False),
        'create it, or name another (persistentvolumeclaim "board-adapters" not found)',
    ),
    "a claim that goes": (
        pod(conditions=[unschedulable('persistentvolumeclaim "board-adapters" is being deleted')]),
        ("ClaimNotFound", False),
        "create it, or name another",
    ),
    "a claim whose volume is gone": (
        pod(conditions=[unschedulable('persistentvolumeclaim "a" bound to non-existent persistentvolume "b"')]),
        ("ClaimNotBound", False),
        "waits for a claim without a volume",
    ),
    "a claim that no volume fits": (
        pod(conditions=[unschedulable("1 node(s) didn't find available persistent volumes to bind.")]),
        ("ClaimNotBound", False),
        "waits for a claim without a volume",
    ),
    "a volume in another zone": (
        pod(conditions=[unschedulable("0/2 nodes: 2 node(s) didn't match PersistentVolume's node affinity.")]),
        ("VolumeElsewhere", False),
        "or delete the claim",
    ),
    "pulling": (
        pod(container(waiting={"reason": "ContainerCreating"})),
        ("Starting", False),
        "the node pulls image lorax:1",
    ),
    "first pull failed": (
        pod(container(waiting={"reason": "ErrImagePull", "message": "denied"})),
        ("ImagePullFailed", False),
        "check spec.lorax.image",
    ),
    "pulls fail": (
        pod(container(waiting={"reason": "ImagePullBackOff", "message": "denied"})),
        ("ImagePullFailed", True),
        "spec.imagePullSecrets (denied)",
    ),
    "the sidecar's pulls fail": (
        pod(container(), container("adapters", waiting={"reason": "ImagePullBackOff"})),
        ("ImagePullFailed", True),
        "of container adapters",
    ),
    "no Secret": (
        pod(container(waiting={"reason": "CreateContainerConfigError", "message": 'secret "hf" not found'})),
        ("SecretNotFound", False),
        'create that Secret, or name another (secret "hf" not found)',
    ),
    "no key in the Secret": (
        pod(container(waiting={"reason": "CreateContainerConfigError", "message": NO_KEY})),
        ("SecretKeyNotFound", False),
        "put that key into the Secret, or name another",
    ),
    "not configurable otherwise": (
        pod(container(waiting={"reason": "CreateContainerConfigError", "message": "runAsNonRoot and root"})),
        ("ContainerConfigError", False),
        "mend what it names (runAsNonRoot and root)",
    ),
    "not startable": (
        pod(container(waiting={"reason": "RunContainerError", "message": "exec: lorax-launcher: not found"})),
        ("ContainerStartFailed", False),
        "it must have lorax-launcher on its PATH",
    ),
    "not startable, again and again": (
        pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "StartError", "message": "no exec"})),
        ("ContainerStartFailed", False),
        "(no exec)",
    ),
    "what runs before it fails": (
        pod(
            container(waiting={"reason": "PodInitializing"}),
            initContainerStatuses=[
                container("fetch", waiting={"reason": "CrashLoopBackOff"}, last={"reason": "Error", "exitCode": 3})
            ],
        ),
        ("CrashLoop", False),
        "container fetch ended with exit code 3",
    ),
    "something runs before it": (
        pod(container(waiting={"reason": "PodInitializing"}), initContainerStatuses=[container("fetch")]),
        ("Starting", False),
        "what has to run before LoRAX in pod executive-lorax-1 runs",
    ),
    "a claim without a volume": (
        pod(conditions=[unschedulable("pod has unbound immediate PersistentVolumeClaims.")]),
        ("ClaimNotBound", False),
        "waits for a claim without a volume",
    ),
    "the scheduler fails": (
        pod(conditions=[unschedulable('storageclass.storage.k8s.io "fast" not found') | {"reason": "SchedulerError"}]),
        ("ClaimNotBound", False),
        '"fast" not found',
    ),
    "held back by a gate": (
        pod(conditions=[unschedulable("Scheduling is blocked") | {"reason": "SchedulingGated"}]),
        ("SchedulingGated", False),
        "has to lift them",
    ),
    "preparing": (
        pod(container(waiting={"reason": "ContainerCreating"}), conditions=[placed(0), UNPREPARED]),
        ("Starting", False),
        "the node mounts the volumes",
    ),
    "preparing for long": (
        pod(container(waiting={"reason": "ContainerCreating"}), conditions=[placed(-3), UNPREPARED]),
        ("NotPrepared", False),
        "see `kubectl describe pod executive-lorax-1`",
    ),
    "no memory even to start": (
        pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "StartError", "message": NO_ROOM})),
        ("OutOfMemory", False),
        "raise spec.lorax.resources.limits.memory",
    ),
    "killed for memory": (
        pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "OOMKilled", "exitCode": 137})),
        ("OutOfMemory", False),
        "raise spec.lorax.resources.limits.memory",
    ),
    "crashing": (
        pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "Error", "exitCode": 1})),
        ("CrashLoop", False),
        "exit code 1 and is restarted with growing delay: see `kubectl logs executive-lorax-1 -c lorax --previous`",
    ),
    "killed before it was up": (
        pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "Error", "exitCode": 137})),
        ("CrashLoop", False),
        "raise spec.lorax.startupTimeoutSeconds",
    ),
    "on a node that reports no more": (
        pod(container(ready=True, started=True), conditions=[READY | {"status": "False"}, CONTAINERS_READY]),
        ("NodeLost", False),
        "see `kubectl get nodes`",
    ),
    "starting": (pod(container()), ("Starting", False), "spec.lorax.startupTimeoutSeconds"),
    "starting again": (
        pod(container(last={"reason": "Error", "exitCode": 2})),
        ("Starting", False),
        "it was restarted 1 times, last with exit code 2",
    ),
    "silent": (ceased(started="2026-11-23T00:00:10Z"), ("NotAnswering", False), "fails its health check"),
    "up a moment ago, not asked for its health yet": (
        pod(container(started=True, running={"startedAt": "2026-11-23T00:00:20Z"}), conditions=[CEASED]),
        ("Starting", False),
        "LoRAX is starting",
    ),
    "started again after it was silent": (
        ceased(started="2026-11-23T00:00:20Z", last={"reason": "Error", "exitCode": 137}),
        ("Starting", False),
        "it was restarted 1 times, last with exit code 137",
    ),
    "evicted": (
        pod(phase="Failed", reason="Evicted", message="disk"),
        ("Evicted", False),
        "raise spec.lorax.resources.requests",
    ),
    "refused by its node": (
        pod(phase="Failed", reason="UnexpectedAdmissionError", message="Allocate failed"),
        ("PodFailed", False),
        "another takes its place (UnexpectedAdmissionError: Allocate failed)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_problem_of_a_pod(case: str) -> None:
    found, expected, words = CASES[case]
    value = explain(PodUnderTest(live=found, messages=WORDS, now=NOW))
    assert (value.status, value.reason, value.stalled) == ("False", *expected)
    assert words in value.message


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ('secret "hf" not found', "spec.lorax.env"),
        ('secret "hf-token" not found', "spec.model.tokenSecretRef"),
        ("couldn't find key hf in Secret team/hf-token", "spec.model.tokenSecretRef"),
    ],
)
def test_the_field_that_names_a_missing_secret_is_told_though_names_are_alike(said: str, field: str) -> None:
    env = [{"name": "X", "secretKeyRef": {"name": "hf", "key": "x"}}]
    model = {"id": MODEL, "tokenSecretRef": {"name": "hf-token", "key": "hf"}}
    words = lorax_messages(blueprint(model=model, lorax={"env": env}))
    waiting = pod(container(waiting={"reason": "CreateContainerConfigError", "message": said}))
    assert f"({field})" in explain(PodUnderTest(live=waiting, messages=words, now=NOW)).message


def test_a_missing_secret_stalls_after_its_grace_period() -> None:
    waiting = pod(container(waiting={"reason": "CreateContainerConfigError"}))
    found = [explain(PodUnderTest(live=waiting, messages=WORDS, now=now)).stalled for now in (NOW, LATER)]
    assert found == [False, True]
