"""The real operator under its real RBAC rules on a real API server; the test plays kubelet and coordinator."""

import pytest

from integration.boards import MODEL, agent, board
from integration.kube_api import KubeApi, Object
from integration.operator_process import IMAGE, OperatorProcess
from integration.playing import (
    OWNED,
    container,
    make_pods_ready,
    make_ready,
    message,
    owned,
    play_kubelet,
    reason,
    wait_built,
)
from tools.waiting import until


def test_a_board_becomes_its_objects_and_says_what_they_do(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    wait_built(kube)
    uid = kube.live("Boardroom", "executive")["metadata"]["uid"]
    for kind, names in OWNED.items():
        for name in names:
            if name != "default":
                (owner,) = kube.live(kind, name)["metadata"]["ownerReferences"]
                assert (owner["uid"], owner["controller"]) == (uid, True)
    assert container(kube, "executive-lorax", "lorax")["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert container(kube, "executive-lorax", "adapters")["image"] == IMAGE
    until("LoRAX starts", lambda: reason(kube) == "LoraxStarting")
    status = kube.live("Boardroom", "executive")["status"]
    assert status["observedGeneration"] == 1
    assert status["agents"] == "0/1"
    assert status["members"] == [{"name": "ceo", "role": "CEO", "ready": False, "reason": "NotProved"}]
    assert status["endpoint"] == f"http://executive-coordinator.{kube.namespace}.svc:8000"
    assert status["lorax"]["effective"]["adapterCacheSize"] == 100


def test_a_board_is_ready_once_its_pods_are_and_a_member_is_proved(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    kube.create(agent("CFO"))
    make_ready(kube, "CEO")
    conditions = {
        c["type"]: (c["status"], c["reason"]) for c in kube.live("Boardroom", "executive")["status"]["conditions"]
    }
    assert conditions == {
        "Ready": ("True", "Ready"),
        "Reconciling": ("False", "Settled"),
        "Stalled": ("False", "NotStalled"),
        "LoraxReady": ("True", "Ready"),
        "CoordinatorReady": ("True", "Ready"),
        "AgentsReady": ("False", "SomeNotReady"),
        "UpToDate": ("True", "UpToDate"),
    }
    until("the board counts its members", lambda: kube.live("Boardroom", "executive")["status"]["agents"] == "1/2")
    assert kube.condition("BoardAgent", "ceo", "Ready")["status"] == "True"
    assert kube.condition("BoardAgent", "cfo", "Ready")["status"] == "Unknown"
    reasons = until("the event", lambda: {e["reason"] for e in kube.every("Event")} >= {"BoardReady", "LoraxReady"})
    assert reasons


def test_an_edit_reaches_the_deployment(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")
    kube.patch("Boardroom", "executive", {"spec": {"lorax": {"gpu": {"count": 2}, "adapterCacheSize": 7}}})

    def edited() -> bool:
        lorax = container(kube, "executive-lorax", "lorax")
        flag = lorax["args"].index("--max-active-adapters")
        return lorax["resources"]["limits"]["nvidia.com/gpu"] == "2" and lorax["args"][flag + 1] == "7"

    until("the Deployment follows", edited)
    until("the board says so", lambda: kube.live("Boardroom", "executive")["status"]["observedGeneration"] == 2)
    assert kube.live("Boardroom", "executive")["status"]["lorax"]["effective"]["adapterCacheSize"] == 7
    assert kube.condition("Boardroom", "executive", "Ready")["status"] == "False"


def test_a_change_of_members_leaves_the_lorax_pod_alone(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")
    before = kube.get("Deployment", "executive-lorax")
    kube.create(agent("CFO"))
    until("two members", lambda: kube.live("Boardroom", "executive")["status"]["agents"] == "1/2")
    kube.delete("BoardAgent", "ceo")
    until("one member", lambda: kube.live("Boardroom", "executive")["status"]["agents"] == "0/1")
    after = kube.get("Deployment", "executive-lorax")
    assert after == before


def test_a_deleted_board_leaves_nothing_and_its_agents_say_so(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    wait_built(kube)
    kube.delete("Boardroom", "executive")
    nothing: dict[str, list[str]] = {kind: [] for kind in OWNED} | {"ServiceAccount": ["default"]}
    until("nothing is left", lambda: owned(kube) == nothing)
    until("the agent is without a board", lambda: kube.condition("BoardAgent", "ceo", "Accepted")["status"] == "False")
    assert kube.condition("BoardAgent", "ceo", "Accepted")["reason"] == "BoardroomNotFound"


def test_two_boards_of_one_name_in_two_namespaces_dont_touch_each_other(
    operator: OperatorProcess, kube: KubeApi, second_kube: KubeApi
) -> None:
    for place in (kube, second_kube):
        place.create(board())
        place.create(agent("CEO"))
        wait_built(place)
    make_ready(second_kube, "CEO")
    before = {o["metadata"]["uid"]: o["spec"] for o in second_kube.every("Deployment")}
    kube.patch("Boardroom", "executive", {"spec": {"lorax": {"port": 9999}}})
    until("the first follows", lambda: "9999" in container(kube, "executive-lorax", "lorax")["args"])
    kube.delete("Boardroom", "executive")
    until("the first is gone", lambda: kube.every("Deployment") == [])
    assert {o["metadata"]["uid"]: o["spec"] for o in second_kube.every("Deployment")} == before
    assert second_kube.condition("Boardroom", "executive", "Ready")["status"] == "True"


def test_without_lorax_its_objects_go_and_the_board_says_what_it_lacks(
    operator: OperatorProcess, kube: KubeApi
) -> None:
    kube.create(board())
    wait_built(kube)
    kube.patch("Boardroom", "executive", {"spec": {"enableLorax": False}})
    until("LoRAX is gone", lambda: kube.names("Deployment") == ["executive-coordinator"])
    assert kube.names("Service") == ["executive-coordinator"]
    until("the board says so", lambda: reason(kube) == "NoEngine")
    assert reason(kube, type_="LoraxReady") == "Disabled"
    stalled = kube.condition("Boardroom", "executive", "Stalled")
    assert stalled["status"] == "True"
    assert "spec.enableLorax: true" in stalled["message"]
    assert "--lorax-service" not in container(kube, "executive-coordinator", "coordinator")["args"]


def test_a_foreign_object_of_the_same_name_is_left_alone(operator: OperatorProcess, kube: KubeApi) -> None:
    ports = [{"port": 1, "protocol": "TCP"}]
    foreign = kube.create(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "executive-lorax"}, "spec": {"ports": ports}}
    )
    kube.create(board())
    until("the board says so", lambda: reason(kube) == "NameConflict")
    stalled = kube.condition("Boardroom", "executive", "Stalled")
    assert stalled["status"] == "True"
    assert "Service executive-lorax" in stalled["message"]
    assert kube.get("Service", "executive-lorax") == foreign
    assert kube.names("Deployment") == ["executive-coordinator", "executive-lorax"]


@pytest.mark.parametrize(
    ("objects", "refused", "expected"),
    [
        ([agent("CEO", "nowhere")], "ceo", "BoardroomNotFound"),
        ([agent("CEO", name="a"), agent("ceo", name="b")], "b", "DuplicateRole"),
        ([agent("CEO", name="a"), agent("CFO", name="b")], "b", "BoardFull"),
    ],
    ids=["unknown board", "duplicate role", "board full"],
)
def test_an_agent_without_a_seat_is_told_why(
    operator: OperatorProcess, kube: KubeApi, objects: list[Object], refused: str, expected: str
) -> None:
    kube.create(board(maxMembers=1 if expected == "BoardFull" else 15))
    for obj in objects:
        kube.create(obj)
    until("it is refused", lambda: kube.condition("BoardAgent", refused, "Accepted")["reason"] == expected)
    assert kube.condition("BoardAgent", refused, "Ready")["reason"] == expected
    if refused == "b":
        until("the other is accepted", lambda: kube.condition("BoardAgent", "a", "Accepted")["status"] == "True")
    warned = until(
        "an event", lambda: [e for e in kube.every("Event") if e["reason"] == "AgentRefused" and e["type"] == "Warning"]
    )
    assert warned[0]["regarding"]["name"] == refused


def test_a_seat_that_becomes_free_goes_to_the_next(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(maxMembers=1))
    kube.create(agent("CEO", name="a"))
    kube.create(agent("CFO", name="b"))
    until("b is refused", lambda: kube.condition("BoardAgent", "b", "Accepted")["reason"] == "BoardFull")
    kube.delete("BoardAgent", "a")
    until("b is accepted", lambda: kube.condition("BoardAgent", "b", "Accepted")["status"] == "True")


def test_an_image_that_cant_be_pulled_stalls_the_board(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(lorax={"image": "registry.example/no-such:1"}))
    wait_built(kube)
    play_kubelet(kube, "lorax", waiting={"reason": "ImagePullBackOff", "message": "not found"})
    until("the board says so", lambda: reason(kube) == "LoraxImagePullFailed")
    stalled = kube.condition("Boardroom", "executive", "Stalled")
    assert stalled["status"] == "True"
    assert "spec.lorax.image" in stalled["message"]


def test_a_refusal_by_pod_security_is_told_with_its_remedy(operator: OperatorProcess, kube: KubeApi) -> None:
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    kube.http.patch(f"/api/v1/namespaces/{kube.namespace}", json=labels, headers=headers).raise_for_status()
    kube.create(board())
    until("the board says so", lambda: reason(kube) == "LoraxPodSecurity")
    assert "pod-security.kubernetes.io/enforce=baseline" in kube.condition("Boardroom", "executive", "Ready")["message"]
    until("the coordinator's pod is accepted", lambda: kube.every("Pod", "app.kubernetes.io/component=coordinator"))


def test_a_suspended_board_holds_no_gpu_keeps_all_else_and_resumes(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(model={"id": MODEL, "cache": {"size": "5Gi"}}))
    kube.create(agent("CEO"))
    until("the claim", lambda: kube.get("PersistentVolumeClaim", "executive-model-cache"))
    until("every Deployment", lambda: len(kube.names("Deployment")) == 2)
    make_pods_ready(kube, "CEO")
    before = {kind: kube.names(kind) for kind in OWNED}
    uid = kube.live("Deployment", "executive-lorax")["metadata"]["uid"]
    kube.patch("Boardroom", "executive", {"spec": {"suspend": True}})
    until("the board says so", lambda: reason(kube) == "Suspended")
    until("the pod is gone", lambda: kube.every("Pod", "app.kubernetes.io/component=lorax") == [])
    until("nothing is under way", lambda: reason(kube, type_="Reconciling") == "Settled")
    states = {t: kube.condition("Boardroom", "executive", t)["status"] for t in ("Ready", "Stalled", "LoraxReady")}
    assert states == {"Ready": "True", "Stalled": "False", "LoraxReady": "False"}
    assert {kind: kube.names(kind) for kind in OWNED} == before
    until("the event", lambda: "BoardSuspended" in {e["reason"] for e in kube.every("Event")})

    kube.patch("Boardroom", "executive", {"spec": {"suspend": False}})
    until("LoRAX is wanted again", lambda: reason(kube).startswith("Lorax"))
    play_kubelet(kube, "lorax")
    until("the board is ready", lambda: reason(kube) == "Ready")
    assert kube.live("Deployment", "executive-lorax")["metadata"]["uid"] == uid


@pytest.mark.parametrize(
    ("field", "expected"),
    [("priorityClassName", "LoraxPriorityClassNotFound"), ("runtimeClassName", "LoraxRuntimeClassNotFound")],
)
def test_a_class_that_does_not_exist_is_told_with_its_remedy(
    operator: OperatorProcess, kube: KubeApi, field: str, expected: str
) -> None:
    kube.create(board(lorax={field: "no-such"}))
    until("the board says so", lambda: reason(kube) == expected)
    assert f"change spec.lorax.{field}" in kube.condition("Boardroom", "executive", "LoraxReady")["message"]


def test_gpus_by_claim_reach_the_pod_without_a_limit(operator: OperatorProcess, kube: KubeApi) -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "h100"}]
    kube.create(board(lorax={"resourceClaims": claims}))
    (pod,) = until("the pod", lambda: kube.every("Pod", "app.kubernetes.io/component=lorax"))
    assert pod["spec"]["resourceClaims"] == claims
    lorax = next(c for c in pod["spec"]["containers"] if c["name"] == "lorax")
    assert lorax["resources"] == {"claims": [{"name": "gpu"}]}
    until("the board names the template", lambda: "ResourceClaimTemplate h100" in message(kube))


def test_the_model_cache_outlives_a_pause_of_lorax(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(model={"id": MODEL, "cache": {"size": "5Gi"}}))
    claim = until("the claim", lambda: kube.get("PersistentVolumeClaim", "executive-model-cache"))
    kube.patch("Boardroom", "executive", {"spec": {"enableLorax": False}})
    until("LoRAX is gone", lambda: kube.names("Deployment") == ["executive-coordinator"])
    kept = kube.get("PersistentVolumeClaim", "executive-model-cache")
    assert kept is not None
    assert kept["metadata"]["uid"] == claim["metadata"]["uid"]


def test_what_the_api_server_refuses_to_change_is_told(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(model={"id": MODEL, "cache": {"size": "5Gi"}}))
    until("the claim", lambda: kube.get("PersistentVolumeClaim", "executive-model-cache"))
    kube.patch("Boardroom", "executive", {"spec": {"model": {"cache": {"size": "1Gi"}}}})
    until("the board says so", lambda: reason(kube) == "ApplyRefused")
    assert (
        "PersistentVolumeClaim executive-model-cache" in kube.condition("Boardroom", "executive", "Stalled")["message"]
    )


def test_an_event_of_an_object_with_a_long_name_is_written(operator: OperatorProcess, kube: KubeApi) -> None:
    """The name of an Event is longer than that of its object."""
    name = f"{'x' * 229}-{'y' * 23}"
    kube.create(board())
    kube.create(agent("CEO"))
    wait_built(kube)
    kube.create(agent("ceo", name=name))
    refused = until("the event", lambda: [e for e in kube.every("Event") if e["reason"] == "AgentRefused"])
    assert [event["regarding"]["name"] for event in refused] == [name]


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_the_next_operator_makes_good_what_happened_meanwhile(
    operator: OperatorProcess, kube: KubeApi, how: str
) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")
    lorax = kube.get("Deployment", "executive-lorax")
    if how == "stopped":
        assert operator.stop() == 0
    else:
        operator.kill()
    kube.delete("Service", "executive-coordinator")
    kube.create(agent("CFO"))
    operator.start()
    until("the Service is back", lambda: kube.get("Service", "executive-coordinator"))
    until("the agent is accepted", lambda: kube.condition("BoardAgent", "cfo", "Accepted")["status"] == "True")
    assert kube.get("Deployment", "executive-lorax") == lorax


def test_status_of_others_is_left_alone(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")
    body = {"apiVersion": "boardroom.dev/v1alpha1", "kind": "Boardroom", "metadata": {"name": "executive"}}
    observed = {"running": True, "metrics": {"totalRequests": 7}}
    path = kube.path("Boardroom", "executive") + "/status"
    kube.apply(path, body | {"status": {"lorax": observed}}, "boardroom-coordinator").raise_for_status()
    kube.patch("Boardroom", "executive", {"spec": {"maxMembers": 3}})
    until(
        "the controller wrote after it",
        lambda: kube.live("Boardroom", "executive")["status"]["lorax"]["effective"]["maxMembers"] == 3,
    )
    lorax = kube.live("Boardroom", "executive")["status"]["lorax"]
    assert {name: lorax[name] for name in observed} == observed


def test_no_finalizer_and_no_annotation_is_put_on_what_users_write(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")
    for kind, name in (("Boardroom", "executive"), ("BoardAgent", "ceo")):
        metadata = kube.live(kind, name)["metadata"]
        assert (metadata.get("finalizers"), metadata.get("annotations")) == (None, None)
