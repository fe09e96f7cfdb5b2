"""The objects of each auth mode: arguments, volumes, rights, and the binding without an owner."""

from pathlib import Path

import pytest
import yaml

from boardroom.controller.plan import coordinator, rbac
from boardroom.kube.kinds import BOARDROOM, CLUSTER_ROLE_BINDING, Object
from unit.controller.objects import blueprint, board_object
from unit.controller.test_reconcile import KEY, Room

BASE = Path(__file__).parents[3] / "manifests" / "base"
KUBERNETES = {"auth": {"mode": "Kubernetes"}}
BINDING = "boardroom:team:executive"


def api_key(**reference: str) -> Object:
    return {"auth": {"mode": "ApiKey", "apiKeySecretRef": {"name": "board-keys"} | reference}}


def pod(spec: Object) -> Object:
    found: Object = coordinator.deployment(blueprint(coordinator=spec))["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        ({}, ["--auth", "Kubernetes"]),
        ({"auth": {"mode": "None"}}, []),
        (KUBERNETES, ["--auth", "Kubernetes"]),
        (
            {"auth": {"mode": "Kubernetes", "staleIfErrorSeconds": 0}},
            ["--auth", "Kubernetes", "--auth-stale-if-error", "0"],
        ),
        (api_key(), ["--auth", "ApiKey", "--api-keys", "/etc/boardroom/api-keys"]),
    ],
)
def test_the_coordinator_is_told_who_may_ask(spec: Object, arguments: list[str]) -> None:
    args = pod(spec)["containers"][0]["args"]
    assert args[args.index("executive-lorax") + 1 : args.index("--address")] == arguments


@pytest.mark.parametrize(
    ("reference", "items"), [({}, {}), ({"key": "app"}, {"items": [{"key": "app", "path": "app"}]})]
)
def test_the_secret_of_keys_is_mounted_and_may_come_later(reference: dict[str, str], items: Object) -> None:
    expected = {"secretName": "board-keys", "optional": True, "defaultMode": 0o444} | items
    (volume,) = pod(api_key(**reference))["volumes"]
    assert volume["secret"] == expected


def test_a_board_that_names_nobody_takes_keys_where_no_tokens_can_be_reviewed() -> None:
    plan = blueprint(clusterwide=False)
    container = coordinator.deployment(plan)["spec"]["template"]["spec"]
    args = container["containers"][0]["args"]
    assert args[args.index("--auth") + 1 : args.index("--port")][:3] == [
        "ApiKey",
        "--api-keys",
        "/etc/boardroom/api-keys",
    ]
    assert [volume["secret"]["secretName"] for volume in container["volumes"]] == ["executive-api-keys"]
    assert rbac.auth_binding(plan) is None


@pytest.mark.parametrize("spec", [{"auth": {"mode": "None"}}, api_key()])
def test_only_mode_kubernetes_gives_rights_to_review(spec: Object) -> None:
    plan = blueprint(coordinator=spec)
    assert (rbac.auth_binding(plan), rbac.client_account(plan), rbac.client_role(plan)) == (None, None, None)
    assert "localsubjectaccessreviews" not in str(rbac.role(plan))


def test_the_operator_holds_what_it_grants_and_may_bind_one_role() -> None:
    documents = list(yaml.safe_load_all((BASE / "rbac.yaml").read_text()))
    roles = {d["metadata"]["name"]: d["rules"] for d in documents if d["kind"] == "ClusterRole"}
    applied_while_waiting = {(g, r, v) for rule in roles["boardroom-operator"] for g, r, v in entries(rule)}
    plan = blueprint(coordinator=KUBERNETES)
    client = rbac.client_role(plan)
    assert client is not None
    granted = {entry for rule in (*rbac.role(plan)["rules"], *client["rules"]) for entry in entries(rule)}
    assert granted - applied_while_waiting == set()
    bindable = [rule["resourceNames"] for rule in roles["boardroom-operator"] if "bind" in rule["verbs"]]
    binding = rbac.auth_binding(plan)
    assert binding is not None
    assert bindable == [[binding["roleRef"]["name"]]]
    assert set(entries(roles["boardroom-coordinator-auth"][0])) == {("authentication.k8s.io", "tokenreviews", "create")}


def entries(rule: Object) -> list[tuple[str, str, str]]:
    return [(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]]


def names(room: Room) -> list[str]:
    return [key[1] for kind, key in room.kube.objects if kind is CLUSTER_ROLE_BINDING]


async def test_a_binding_is_made_once_and_put_back_when_changed() -> None:
    room = Room()
    room.has(BOARDROOM, board_object(coordinator=KUBERNETES))
    await room.reconcile()
    assert names(room) == [BINDING]
    before = len(room.kube.writes)
    await room.reconcile()
    assert len(room.kube.writes) == before
    changed = room.kube.objects[CLUSTER_ROLE_BINDING, ("", BINDING)] | {"subjects": []}
    room.has(CLUSTER_ROLE_BINDING, changed)
    await room.reconcile()
    (subject,) = room.kube.objects[CLUSTER_ROLE_BINDING, ("", BINDING)]["subjects"]
    assert subject["name"] == "executive-coordinator"


async def test_the_binding_of_a_board_that_is_gone_is_swept() -> None:
    room = Room()
    wanted = rbac.auth_binding(blueprint(coordinator=KUBERNETES))
    assert wanted is not None
    room.has(CLUSTER_ROLE_BINDING, wanted | {"metadata": wanted["metadata"] | {"uid": "binding-uid"}})
    assert room.store.boards() == {KEY}
    await room.reconcile()
    assert names(room) == []


async def test_a_binding_of_another_role_is_left_alone_whatever_its_labels_say() -> None:
    room = Room()
    wanted = rbac.auth_binding(blueprint(coordinator=KUBERNETES))
    assert wanted is not None
    foreign = wanted | {"roleRef": wanted["roleRef"] | {"name": "view"}}
    room.has(CLUSTER_ROLE_BINDING, foreign | {"metadata": foreign["metadata"] | {"uid": "binding-uid"}})
    await room.reconcile()
    assert names(room) == [BINDING]
