"""The coordinator's pod and its few rights."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom.api.settings import Defaults
from boardroom.controller.plan import coordinator, rbac
from boardroom.controller.plan.children import children
from unit.controller.objects import Object, blueprint

BASE = Path(__file__).parents[3] / "manifests" / "base"
LORAX = ["--lorax-service", "executive-lorax"]
TAIL = ["--address", "$(POD_IP)", "--host", "0.0.0.0", "--port", "8000", "--metrics-port", "9090"]


def container(**spec: Any) -> Object:
    found: Object = coordinator.deployment(blueprint(**spec))["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(("enabled", "urls"), [(True, LORAX), (False, [])])
def test_its_arguments(enabled: bool, urls: list[str]) -> None:
    expected = ["coordinator", "--board", "executive", "--namespace", "team", *urls, "--auth", "Kubernetes", *TAIL]
    assert container(enableLorax=enabled)["args"] == expected


def test_it_knows_the_operators_defaults() -> None:
    env = container()["env"]
    assert Defaults.from_env({e["name"]: e["value"] for e in env if "value" in e}) == Defaults()


def test_a_board_switches_tracing_on_by_opentelemetrys_variables() -> None:
    key = {"name": "collector", "key": "headers"}
    env = container(
        coordinator={
            "env": [
                {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"},
                {"name": "OTEL_EXPORTER_OTLP_HEADERS", "secretKeyRef": key},
            ]
        }
    )["env"]
    assert env[-2:] == [
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"},
        {"name": "OTEL_EXPORTER_OTLP_HEADERS", "valueFrom": {"secretKeyRef": key}},
    ]


def test_its_pod_meets_restricted_pod_security() -> None:
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_question_in_flight_may_take_its_deadline() -> None:
    pod = coordinator.deployment(blueprint(coordinator={"requestTimeoutSeconds": 300}))["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 330


def test_its_role_is_limited_to_its_board_and_its_members() -> None:
    assert rbac.role(blueprint(members=("cfo", "ceo")))["rules"] == [
        {
            "apiGroups": ["boardroom.dev"],
            "resources": ["boardrooms"],
            "verbs": ["get", "list", "watch"],
            "resourceNames": ["executive"],
        },
        {"apiGroups": ["boardroom.dev"], "resources": ["boardagents"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["boardroom.dev"],
            "resources": ["boardrooms/status"],
            "verbs": ["patch"],
            "resourceNames": ["executive"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["get", "patch"],
            "resourceNames": ["executive-coordinator"],
        },
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["localsubjectaccessreviews"], "verbs": ["create"]},
        {
            "apiGroups": ["boardroom.dev"],
            "resources": ["boardagents/status"],
            "verbs": ["patch"],
            "resourceNames": ["ceo", "cfo"],
        },
    ]


def test_without_members_it_may_write_no_agents_status() -> None:
    """A rule without names would mean all of them."""
    assert [r for r in rbac.role(blueprint())["rules"] if "boardagents/status" in r["resources"]] == []


def test_the_operator_holds_what_it_grants() -> None:
    documents = yaml.safe_load_all((BASE / "rbac.yaml").read_text())
    applied_while_waiting = {
        (group, resource, verb)
        for document in documents
        if document["kind"] == "ClusterRole"
        for rule in document["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    granted = {
        (group, resource, verb)
        for rule in rbac.role(blueprint(members=("ceo",)))["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted - applied_while_waiting == set()
    assert not any("*" in entry for entry in applied_while_waiting)


def test_standard_inference_is_handed_on_with_its_key_by_reference() -> None:
    standard = {"url": "https://api.example.com/v1", "model": "m", "apiKeySecretRef": {"name": "s", "key": "k"}}
    manifest = coordinator.deployment(blueprint(standardInference=standard))
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    at = container["args"].index("--standard-url")
    assert container["args"][at : at + 4] == ["--standard-url", standard["url"], "--standard-model", "m"]
    [key] = [e for e in container["env"] if e["name"] == "BOARDROOM_STANDARD_API_KEY"]
    assert key == {
        "name": "BOARDROOM_STANDARD_API_KEY",
        "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}},
    }


def test_redis_is_handed_on_with_what_is_secret_by_reference() -> None:
    password, ca = {"name": "redis", "key": "password"}, {"name": "redis-ca", "key": "ca.crt"}
    redis = {
        "host": "redis.data.svc",
        "port": 6380,
        "database": 2,
        "username": "board#1",
        "passwordSecretRef": password,
        "tls": {"caSecretRef": ca},
    }
    manifest = coordinator.deployment(blueprint(coordinator={"conversations": {"redis": redis}}))
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    at = container["args"].index("--redis-url")
    assert container["args"][at + 1] == "rediss://board%231@redis.data.svc:6380/2"
    assert [e for e in container["env"] if e["name"].startswith("BOARDROOM_REDIS")] == [
        {"name": "BOARDROOM_REDIS_PASSWORD", "valueFrom": {"secretKeyRef": password}},
        {"name": "BOARDROOM_REDIS_CA", "valueFrom": {"secretKeyRef": ca}},
    ]


def test_each_origin_that_may_ask_from_a_browser_is_handed_on() -> None:
    origins = ["https://app.example.com", "http://localhost:3000"]
    manifest = coordinator.deployment(blueprint(coordinator={"cors": {"allowOrigins": origins}}))
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    at = container["args"].index("--cors-origin")
    assert container["args"][at : at + 4] == ["--cors-origin", origins[0], "--cors-origin", origins[1]]


def test_a_redis_without_a_password_needs_no_secret() -> None:
    manifest = coordinator.deployment(blueprint(coordinator={"conversations": {"redis": {"host": "redis"}}}))
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    at = container["args"].index("--redis-url")
    assert container["args"][at + 1] == "redis://redis:6379/0"
    assert not [e for e in container["env"] if "REDIS" in e["name"]]


def test_without_lorax_its_objects_should_not_exist() -> None:
    wanted = children(blueprint(enableLorax=False), lambda _kind, _name: None)
    assert [(c.kind.name, c.name) for c in wanted if c.manifest is None] == [
        ("PersistentVolumeClaim", "executive-model-cache"),
        ("NetworkPolicy", "executive-lorax"),
        ("Service", "executive-lorax"),
        ("PodDisruptionBudget", "executive-lorax"),
        ("Deployment", "executive-lorax"),
        ("PodDisruptionBudget", "executive-coordinator"),
    ]


def test_every_object_is_owned_by_its_board_and_carries_labels_made_from_scratch() -> None:
    owner = {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "Boardroom",
        "name": "executive",
        "uid": "board-uid",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    for child in children(blueprint(), lambda _kind, _name: None):
        if child.manifest is not None:
            metadata = child.manifest["metadata"]
            assert metadata["ownerReferences"] == [owner]
            assert {k: v for k, v in metadata["labels"].items() if k != "app.kubernetes.io/component"} == {
                "app.kubernetes.io/name": "boardroom",
                "app.kubernetes.io/instance": "executive",
                "app.kubernetes.io/part-of": "boardroom",
                "app.kubernetes.io/managed-by": "boardroom-operator",
                "boardroom.dev/board": "executive",
            }
