"""What is edited, deleted, left behind or rolled by an operator of other defaults, on a real API server."""

import pytest

from integration.boards import MODEL, board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import message, reason, wait_built
from tools.waiting import until

SECONDS = 10.0
CACHE = "executive-model-cache"
FULL: Object = {
    "model": {"id": MODEL, "cache": {"size": "5Gi"}},
    "coordinator": {"auth": {"mode": "Kubernetes"}},
}
"""A board that has an object of every kind that a board can own."""
CHILDREN = [
    ("Deployment", "executive-lorax"),
    ("Deployment", "executive-coordinator"),
    ("Service", "executive-lorax"),
    ("Service", "executive-coordinator"),
    ("ServiceAccount", "executive-coordinator"),
    ("ServiceAccount", "executive-client"),
    ("Role", "executive-coordinator"),
    ("Role", "executive-client"),
    ("RoleBinding", "executive-coordinator"),
    ("RoleBinding", "executive-client"),
    ("NetworkPolicy", "executive-lorax"),
    ("NetworkPolicy", "executive-coordinator"),
]
EDITS: dict[str, Object] = {
    "Deployment": {"spec": {"replicas": 7}},
    "Service": {"spec": {"selector": {"app": "other"}}},
    "ServiceAccount": {"automountServiceAccountToken": True},
    "Role": {"rules": []},
    "RoleBinding": {"subjects": []},
    "NetworkPolicy": {"spec": {"podSelector": {"matchLabels": {"app": "other"}}}},
}


FOREIGN: dict[str, Object] = {
    "Deployment": {
        "apiVersion": "apps/v1",
        "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"containers": [{"name": "x", "image": "x"}]},
            },
        },
    },
    "ServiceAccount": {"apiVersion": "v1"},
    "Role": {"apiVersion": "rbac.authorization.k8s.io/v1", "rules": []},
    "RoleBinding": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"},
    },
    "NetworkPolicy": {"apiVersion": "networking.k8s.io/v1", "spec": {"podSelector": {}}},
}


def built(kube: KubeApi) -> None:
    until(
        "every object",
        lambda: all(kube.get(kind, name) for kind, name in [*CHILDREN, ("PersistentVolumeClaim", CACHE)]),
    )
    until("the board has a status", lambda: reason(kube) not in ("", "LoraxCreating"))


def body(obj: Object) -> Object:
    """What of an object is ours to keep."""
    kept = {k: v for k, v in obj.items() if k not in ("metadata", "status")}
    return kept | {"owners": obj["metadata"].get("ownerReferences"), "labels": obj["metadata"]["labels"]}


def test_whatever_is_deleted_by_hand_comes_back_within_seconds(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(**FULL))
    built(kube)
    before = {(kind, name): kube.live(kind, name) for kind, name in CHILDREN}
    for kind, name in CHILDREN:
        kube.delete(kind, name)
    for (kind, name), old in before.items():

        def back(kind: str = kind, name: str = name, old: Object = old) -> bool:
            new = kube.get(kind, name)
            return new is not None and new["metadata"]["uid"] != old["metadata"]["uid"]

        until(f"{kind} {name} is back", back, SECONDS)
        if kind != "Service":  # its addresses are new
            assert body(kube.live(kind, name)) == body(old)


@pytest.mark.parametrize("what", ["spec", "labels", "owner"])
def test_whatever_is_edited_by_hand_is_as_before_within_seconds(
    operator: OperatorProcess, kube: KubeApi, what: str
) -> None:
    kube.create(board(**FULL))
    built(kube)
    before = {(kind, name): body(kube.live(kind, name)) for kind, name in CHILDREN}
    for kind, name in CHILDREN:
        if what == "spec":
            kube.patch(kind, name, EDITS[kind])
        elif what == "labels":
            kube.patch(kind, name, {"metadata": {"labels": {"app.kubernetes.io/component": "other"}}})
        else:
            kube.patch(kind, name, {"metadata": {"ownerReferences": None}})
    until("all are as before", lambda: {child: body(kube.live(*child)) for child in CHILDREN} == before, SECONDS)


def test_the_binding_for_token_reviews_comes_back_too(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(**FULL))
    name = f"boardroom:{kube.namespace}:executive"
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}"
    until("the binding", lambda: kube.http.get(path).is_success)
    kube.http.delete(path).raise_for_status()
    until("it is back", lambda: kube.http.get(path).is_success, SECONDS)
    kube.delete("Boardroom", "executive")
    until("it goes with the board", lambda: kube.http.get(path).status_code == 404, SECONDS)


@pytest.mark.parametrize("kind", ["Deployment", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy"])
def test_an_object_of_somebody_else_is_left_alone_whatever_its_kind(
    operator: OperatorProcess, kube: KubeApi, kind: str
) -> None:
    name = "executive-coordinator"
    foreign = kube.create(FOREIGN[kind] | {"kind": kind, "metadata": {"name": name}})
    kube.create(board())
    until("the board says so", lambda: reason(kube) == "NameConflict", SECONDS)
    stalled = kube.condition("Boardroom", "executive", "Stalled")
    assert stalled["status"] == "True"
    assert f"{kind} {name}" in stalled["message"]
    live = kube.live(kind, name)
    assert {k: live[k] for k in foreign if k not in ("metadata", "status")} == {
        k: v for k, v in foreign.items() if k not in ("metadata", "status")
    }
    assert "ownerReferences" not in live["metadata"]


def test_what_an_orphaning_deletion_left_is_taken_up_again(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    wait_built(kube)
    before = kube.live("Deployment", "executive-lorax")
    options = {"propagationPolicy": "Orphan"}
    kube.http.request("DELETE", kube.path("Boardroom", "executive"), json=options).raise_for_status()
    until("the board is gone", lambda: kube.get("Boardroom", "executive") is None)
    until(
        "its objects have no owner",
        lambda: not kube.live("Deployment", "executive-lorax")["metadata"].get("ownerReferences"),
    )
    uid = kube.create(board())["metadata"]["uid"]

    def owner() -> str | None:
        owners = kube.live("Deployment", "executive-lorax")["metadata"].get("ownerReferences") or [{}]
        return owners[0].get("uid")

    until("they have the new owner", lambda: owner() == uid, SECONDS)
    assert kube.live("Deployment", "executive-lorax")["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.mark.parametrize(("policy", "kept"), [("Retain", True), ("Delete", False), (None, False)])
def test_the_model_cache_goes_with_its_board_or_stays(
    operator: OperatorProcess, kube: KubeApi, policy: str | None, kept: bool
) -> None:
    cache = {"size": "5Gi"} | ({"whenDeleted": policy} if policy else {})
    kube.create(board(model={"id": MODEL, "cache": cache}))
    claim = until("the claim", lambda: kube.get("PersistentVolumeClaim", CACHE))
    until("the board has a status", lambda: reason(kube))
    kube.delete("Boardroom", "executive")
    until("the rest is gone", lambda: kube.names("Deployment") == [])
    if not kept:
        until("the claim is gone", lambda: kube.every("PersistentVolumeClaim") == [])
        return
    assert kube.live("PersistentVolumeClaim", CACHE)["metadata"]["uid"] == claim["metadata"]["uid"]
    kube.create(board(model={"id": MODEL, "cache": {"size": "5Gi"}}))
    until(
        "it is the next board's", lambda: kube.live("PersistentVolumeClaim", CACHE)["metadata"].get("ownerReferences")
    )
    assert kube.live("PersistentVolumeClaim", CACHE)["metadata"]["uid"] == claim["metadata"]["uid"]


def test_a_deployment_that_somebody_paused_is_named(operator: OperatorProcess, kube: KubeApi) -> None:
    """The field is theirs: no apply of ours takes it away, and without a word the board would be Updating for ever."""
    kube.create(board())
    wait_built(kube)
    kube.patch("Deployment", "executive-lorax", {"spec": {"paused": True}})
    kube.patch("Boardroom", "executive", {"spec": {"lorax": {"image": "lorax:2"}}})
    until("the board says so", lambda: reason(kube) == "LoraxPaused", SECONDS)
    kube.patch("Deployment", "executive-lorax", {"spec": {"paused": None}})
    until("the board goes on", lambda: reason(kube) == "LoraxStarting", SECONDS)


def test_whoever_keeps_scaling_a_deployment_of_ours_is_named_and_let_be(
    operator: OperatorProcess, kube: KubeApi
) -> None:
    assert operator is not None
    kube.create(board())
    wait_built(kube)
    path = kube.path("Deployment", "executive-coordinator")
    rival = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "executive-coordinator"}}

    def contested() -> bool:
        kube.apply(path, rival | {"spec": {"replicas": 2}}, "scaler").raise_for_status()
        return reason(kube, type_="UpToDate") == "FieldsContested"

    until("it is said", contested)
    said = message(kube, type_="UpToDate")
    assert "Deployment executive-coordinator: spec.replicas is set otherwise by field manager scaler " in said
    generation = kube.live("Deployment", "executive-coordinator")["metadata"]["generation"]
    for _ in range(5):
        kube.apply(path, rival | {"spec": {"replicas": 2}}, "scaler").raise_for_status()
    assert kube.live("Deployment", "executive-coordinator")["metadata"]["generation"] == generation
    until("an Event says so", lambda: "FieldsContested" in {e["reason"] for e in kube.every("Event")})
