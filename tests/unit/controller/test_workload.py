"""Why a workload is not up is told in words that say the remedy."""

from datetime import UTC, datetime, timedelta

import pytest

from boardroom.controller.status.words import coordinator_words, lorax_words
from boardroom.controller.status.workload import workload
from unit.controller.objects import Object, blueprint, container, deployment, pod

NOW = datetime(2026, 11, 23, 0, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 0, 2, tzinfo=UTC)
WORDS = lorax_words(blueprint())
UP = container(ready=True, started=True)
FAILURE = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
UNPREPARED = {"type": "PodReadyToStartContainers", "status": "False"}
NO_KEY = "couldn't find key token in Secret team/hf"
NO_ROOM = "runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)"
OVERDUE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def unschedulable(message: str) -> Object:
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}


def placed(minutes: int) -> Object:
    at = (NOW + timedelta(minutes=minutes)).isoformat()
    return {"type": "PodScheduled", "status": "True", "lastTransitionTime": at}


def refused(message: str) -> Object:
    return deployment(conditions=[FAILURE | {"message": message}], updatedReplicas=0)


def several(replicas: int) -> Object:
    found = deployment(strategy="RollingUpdate", updatedReplicas=replicas)
    found["spec"]["replicas"] = replicas
    return found


def rolled_out(strategy: str = "Recreate") -> Object:
    """A Deployment whose controller has made the pods of its newest template."""
    said = 'ReplicaSet "executive-lorax-new" is progressing.'
    return deployment(strategy=strategy, conditions=[{"type": "Progressing", "status": "True", "message": said}])


def of(replica_set: str) -> Object:
    owner = {"kind": "ReplicaSet", "name": f"executive-lorax-{replica_set}", "controller": True}
    return {"name": f"executive-lorax-{replica_set}-1", "ownerReferences": [owner]}


CASES: dict[str, tuple[Object | None, list[Object], tuple[str, str, bool], str]] = {
    "no Deployment": (None, [], ("False", "Creating", False), "being created"),
    "not seen by its controller": (deployment(observedGeneration=0), [], ("False", "Creating", False), "created"),
    "refused by Pod Security": (
        refused('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'),
        [],
        ("False", "PodSecurity", True),
        "kubectl label namespace team pod-security.kubernetes.io/enforce=baseline",
    ),
    "refused by quota": (
        refused("exceeded quota: gpu"),
        [],
        ("False", "QuotaExceeded", False),
        "raise it or free some",
    ),
    "no priority class": (
        refused('pods "x" is forbidden: no PriorityClass with name gold was found'),
        [],
        ("False", "PriorityClassNotFound", False),
        "create the PriorityClass or change spec.lorax.priorityClassName",
    ),
    "no runtime class": (
        refused('pods "x" is forbidden: pod rejected: RuntimeClass "nvidia" not found'),
        [],
        ("False", "RuntimeClassNotFound", False),
        "create the RuntimeClass or change spec.lorax.runtimeClassName",
    ),
    "refused otherwise": (refused("webhook says no"), [], ("False", "FailedCreate", False), "webhook says no"),
    "edited": (deployment(generation=2), [pod(UP)], ("False", "Updating", False), "being replaced"),
    "no new pod yet": (deployment(updatedReplicas=0), [pod(UP)], ("False", "Updating", False), "being replaced"),
    "the old pod's end not heard yet": (
        rolled_out(),
        [pod(UP, metadata=of("old"))],
        ("False", "Updating", False),
        "the pod of LoRAX is being replaced",
    ),
    "the old pod's end never heard, the new one up": (
        rolled_out(),
        [pod(UP, metadata=of("old")), pod(UP, metadata=of("new"))],
        ("True", "Ready", False),
        "LoRAX is up",
    ),
    "the new pod starts while the old one serves": (
        rolled_out("RollingUpdate"),
        [pod(UP, metadata=of("old")), pod(container(), metadata=of("new"))],
        ("True", "Updating", False),
        "LoRAX is up; its pod is being replaced; of the new one: LoRAX is starting",
    ),
    "the new pod's image can't be pulled while the old one serves": (
        rolled_out("RollingUpdate"),
        [
            pod(UP, metadata=of("old")),
            pod(container(waiting={"reason": "ImagePullBackOff", "message": "no such tag"}), metadata=of("new")),
        ],
        ("True", "Updating", True),
        "of the new one: image lorax:1 of container lorax can't be pulled",
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
    "not placed yet": (deployment(), [pod()], ("False", "Starting", False), "waits for a node"),
    "no GPU free": (
        deployment(),
        [pod(conditions=[unschedulable("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")])],
        ("False", "InsufficientGpu", False),
        "add a node with 1 nvidia.com/gpu, free one, or change spec.lorax.gpu",
    ),
    "no node fits": (
        deployment(),
        [pod(conditions=[unschedulable("node(s) didn't match Pod's node affinity/selector")])],
        ("False", "Unschedulable", False),
        "change spec.lorax.gpu, nodeSelector, affinity or tolerations",
    ),
    "no claim": (
        deployment(),
        [pod(conditions=[unschedulable('persistentvolumeclaim "board-adapters" not found')])],
        ("False", "ClaimNotFound", False),
        'create it, or name another (persistentvolumeclaim "board-adapters" not found)',
    ),
    "pulling": (
        deployment(),
        [pod(container(waiting={"reason": "ContainerCreating"}))],
        ("False", "Starting", False),
        "the node pulls image lorax:1",
    ),
    "first pull failed": (
        deployment(),
        [pod(container(waiting={"reason": "ErrImagePull", "message": "denied"}))],
        ("False", "ImagePullFailed", False),
        "check spec.lorax.image",
    ),
    "pulls fail": (
        deployment(),
        [pod(container(waiting={"reason": "ImagePullBackOff", "message": "denied"}))],
        ("False", "ImagePullFailed", True),
        "spec.imagePullSecrets (denied)",
    ),
    "the sidecar's pulls fail": (
        deployment(),
        [pod(container(), container("adapters", waiting={"reason": "ImagePullBackOff"}))],
        ("False", "ImagePullFailed", True),
        "of container adapters",
    ),
    "no Secret": (
        deployment(),
        [pod(container(waiting={"reason": "CreateContainerConfigError", "message": 'secret "hf" not found'}))],
        ("False", "SecretNotFound", False),
        'create that Secret, or name another (secret "hf" not found)',
    ),
    "no key in the Secret": (
        deployment(),
        [pod(container(waiting={"reason": "CreateContainerConfigError", "message": NO_KEY}))],
        ("False", "SecretKeyNotFound", False),
        "put that key into the Secret, or name another",
    ),
    "not configurable otherwise": (
        deployment(),
        [pod(container(waiting={"reason": "CreateContainerConfigError", "message": "runAsNonRoot and root"}))],
        ("False", "ContainerConfigError", False),
        "mend what it names (runAsNonRoot and root)",
    ),
    "not startable": (
        deployment(),
        [pod(container(waiting={"reason": "RunContainerError", "message": "exec: lorax-launcher: not found"}))],
        ("False", "ContainerStartFailed", False),
        "it must have lorax-launcher on its PATH",
    ),
    "not startable, again and again": (
        deployment(),
        [pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "StartError", "message": "no exec"}))],
        ("False", "ContainerStartFailed", False),
        "(no exec)",
    ),
    "what runs before it fails": (
        deployment(),
        [
            pod(
                container(waiting={"reason": "PodInitializing"}),
                initContainerStatuses=[
                    container("fetch", waiting={"reason": "CrashLoopBackOff"}, last={"reason": "Error", "exitCode": 3})
                ],
            )
        ],
        ("False", "CrashLoop", False),
        "container fetch ended with exit code 3",
    ),
    "something runs before it": (
        deployment(),
        [pod(container(waiting={"reason": "PodInitializing"}), initContainerStatuses=[container("fetch")])],
        ("False", "Starting", False),
        "what has to run before LoRAX in pod executive-lorax-1 runs",
    ),
    "a claim without a volume": (
        deployment(),
        [pod(conditions=[unschedulable("pod has unbound immediate PersistentVolumeClaims.")])],
        ("False", "ClaimNotBound", False),
        "waits for a claim without a volume",
    ),
    "the scheduler fails": (
        deployment(),
        [
            pod(
                conditions=[
                    unschedulable('storageclass.storage.k8s.io "fast" not found') | {"reason": "SchedulerError"}
                ]
            )
        ],
        ("False", "ClaimNotBound", False),
        '"fast" not found',
    ),
    "held back by a gate": (
        deployment(),
        [pod(conditions=[unschedulable("Scheduling is blocked") | {"reason": "SchedulingGated"}])],
        ("False", "SchedulingGated", False),
        "has to lift them",
    ),
    "preparing": (
        deployment(),
        [pod(container(waiting={"reason": "ContainerCreating"}), conditions=[placed(0), UNPREPARED])],
        ("False", "Starting", False),
        "the node mounts the volumes",
    ),
    "preparing for long": (
        deployment(),
        [pod(container(waiting={"reason": "ContainerCreating"}), conditions=[placed(-3), UNPREPARED])],
        ("False", "NotPrepared", False),
        "see `kubectl describe pod executive-lorax-1`",
    ),
    "no memory even to start": (
        deployment(),
        [pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "StartError", "message": NO_ROOM}))],
        ("False", "OutOfMemory", False),
        "raise spec.lorax.resources.limits.memory",
    ),
    "killed for memory": (
        deployment(),
        [pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "OOMKilled", "exitCode": 137}))],
        ("False", "OutOfMemory", False),
        "raise spec.lorax.resources.limits.memory",
    ),
    "crashing": (
        deployment(),
        [pod(container(waiting={"reason": "CrashLoopBackOff"}, last={"reason": "Error", "exitCode": 1}))],
        ("False", "CrashLoop", False),
        "exit code 1 and is restarted with growing delay: see `kubectl logs executive-lorax-1 -c lorax --previous`",
    ),
    "starting": (deployment(), [pod(container())], ("False", "Starting", False), "spec.lorax.startupTimeoutSeconds"),
    "starting again": (
        deployment(),
        [pod(container(last={"reason": "Error", "exitCode": 2}))],
        ("False", "Starting", False),
        "it was restarted 1 times, last with exit code 2",
    ),
    "silent": (
        deployment(),
        [pod(container(started=True))],
        ("False", "NotAnswering", False),
        "fails its health check",
    ),
    "evicted": (
        deployment(),
        [pod(phase="Failed", reason="Evicted", message="disk")],
        ("False", "Evicted", False),
        "raise spec.lorax.resources.requests",
    ),
    "refused by its node": (
        deployment(),
        [pod(phase="Failed", reason="UnexpectedAdmissionError", message="Allocate failed")],
        ("False", "PodFailed", False),
        "another takes its place (UnexpectedAdmissionError: Allocate failed)",
    ),
    "too late": (
        deployment(conditions=[OVERDUE]),
        [pod(container())],
        ("False", "Starting", True),
        "not up within 2700 s",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_lorax(case: str) -> None:
    live, pods, expected, words = CASES[case]
    finding = workload(live, pods, WORDS, NOW)
    assert (finding.status, finding.reason, finding.stalled) == expected
    assert words in finding.message


@pytest.mark.parametrize(
    ("conditions", "reason", "words"),
    [
        (
            [unschedulable("0/3 nodes are available: 3 cannot allocate all claims.")],
            "DevicesNotAllocated",
            "add a node whose devices fit ResourceClaimTemplate h100, free one, or change spec.lorax.resourceClaims",
        ),
        ([], "Starting", "see that ResourceClaimTemplate h100 exists in its namespace"),
        (
            [unschedulable('persistentvolumeclaim "board-adapters" not found')],
            "ClaimNotFound",
            'create it, or name another (persistentvolumeclaim "board-adapters" not found)',
        ),
    ],
    ids=["no node has them", "not tried yet", "a volume's claim"],
)
def test_what_is_said_of_a_pod_with_claims_for_devices(conditions: list[Object], reason: str, words: str) -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "h100"}]
    said = lorax_words(blueprint(lorax={"resourceClaims": claims}))
    finding = workload(deployment(), [pod(conditions=conditions)], said, NOW)
    assert (finding.reason, words in finding.message) == (reason, True)


def test_a_missing_secret_stalls_after_its_grace_period() -> None:
    waiting = pod(container(waiting={"reason": "CreateContainerConfigError"}))
    found = [workload(deployment(), [waiting], WORDS, now).stalled for now in (NOW, LATER)]
    assert found == [False, True]


@pytest.mark.parametrize(
    ("spec", "secret", "field"),
    [
        ({"model": {"id": "m", "tokenSecretRef": {"name": "hf", "key": "t"}}}, "hf", "spec.model.tokenSecretRef"),
        ({"lorax": {"env": [{"name": "X", "secretKeyRef": {"name": "x", "key": "k"}}]}}, "x", "spec.lorax.env"),
    ],
)
def test_the_field_that_names_a_missing_secret_is_told(spec: Object, secret: str, field: str) -> None:
    said = {"reason": "CreateContainerConfigError", "message": f'secret "{secret}" not found'}
    finding = workload(deployment(), [pod(container(waiting=said))], lorax_words(blueprint(**spec)), NOW)
    assert f"create that Secret ({field})" in finding.message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"model": {"id": "m", "cache": {"size": "1Gi", "storageClassName": "fast"}}},
            "see that StorageClass fast exists",
        ),
        ({"model": {"id": "m", "cache": {"size": "1Gi"}}}, "see that a default StorageClass exists"),
        ({"model": {"id": "m", "cache": {"claimName": "w"}}}, "give claim w a volume (spec.model.cache.claimName)"),
        ({"adapters": {"volume": {"persistentVolumeClaim": {"claimName": "a"}}}}, "give claim a a volume"),
    ],
)
def test_the_field_behind_a_claim_without_a_volume_is_told(spec: Object, words: str) -> None:
    waiting = pod(conditions=[unschedulable("pod has unbound immediate PersistentVolumeClaims.")])
    assert words in workload(deployment(), [waiting], lorax_words(blueprint(**spec)), NOW).message


def test_the_newest_pod_speaks_for_the_workload() -> None:
    old = pod(container(waiting={"reason": "ImagePullBackOff"}))
    new = pod(container(), metadata={"name": "executive-lorax-2", "creationTimestamp": "2026-11-23T00:00:30Z"})
    assert workload(deployment(), [new, old], WORDS, NOW).reason == "Starting"


def test_a_coordinator_that_rolls_stays_up_and_says_so() -> None:
    rolling = deployment(generation=2, strategy="RollingUpdate")
    finding = workload(rolling, [pod(container("coordinator", ready=True))], coordinator_words(blueprint()), NOW)
    assert (finding.status, finding.reason, finding.changing) == ("True", "Updating", True)


@pytest.mark.parametrize("started", [False, True], ids=["starting", "not answering"])
def test_a_coordinator_without_its_keys_says_which_secret_lets_people_in(*, started: bool) -> None:
    words = coordinator_words(blueprint(clusterwide=False))
    status = container("coordinator") | {"started": started}
    message = workload(deployment(), [pod(status)], words, NOW).message
    assert "until Secret executive-api-keys (spec.coordinator.auth.apiKeySecretRef) holds an API key" in message
    assert "kubectl create secret generic executive-api-keys --from-literal=app=" in message
