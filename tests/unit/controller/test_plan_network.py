"""Only the coordinator reaches LoRAX, and LoRAX reaches only what it must."""

from dataclasses import replace
from typing import Any

import pytest

from boardroom.api.adapter import HuggingFaceSource, S3Source, Source
from boardroom.controller.plan import coordinator, lorax, network
from unit.controller.objects import MODEL, Object, blueprint

DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def tcp(*ports: int) -> list[Object]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def lorax_spec(**spec: Any) -> Object:
    found = network.lorax_policy(blueprint(**spec))
    assert found is not None
    body: Object = found["spec"]
    return body


def template_labels(deployment: Object | None) -> Object:
    assert deployment is not None
    labels: Object = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def test_only_the_boards_own_coordinator_reaches_lorax_and_the_sidecar() -> None:
    plan = blueprint(lorax={"port": 9000})
    spec = lorax_spec(lorax={"port": 9000})
    assert spec["podSelector"] == {"matchLabels": template_labels(lorax.deployment(plan))}
    coordinators = {"podSelector": {"matchLabels": template_labels(coordinator.deployment(plan))}}
    assert spec["ingress"] == [{"from": [coordinators], "ports": tcp(9000, 8082)}]
    assert spec["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"model": {"id": "/data/m", "source": "Local"}}, []),
        ({}, [{"ports": [*DNS, *tcp(443)]}]),
        (
            {"lorax": {"env": [{"name": "HF_ENDPOINT", "value": "http://hub.internal:8090"}]}},
            [{"ports": [*DNS, *tcp(443, 8090)]}],
        ),
        (
            {
                "lorax": {
                    "env": [{"name": "https_proxy", "value": "http://proxy"}, {"name": "X", "value": "http://y:1"}]
                }
            },
            [{"ports": [*DNS, *tcp(80, 443)]}],
        ),
        (
            {"lorax": {"env": [{"name": "HF_ENDPOINT", "value": "http://hub:many"}]}},
            [{"ports": [*DNS, *tcp(443)]}],
        ),
        (
            {"lorax": {"env": [{"name": "HF_ENDPOINT", "secretKeyRef": {"name": "s", "key": "k"}}]}},
            [{"ports": [*DNS, *tcp(443)]}],
        ),
    ],
    ids=["a local model", "the hub", "a mirror", "a proxy", "no URL", "a Secret"],
)
def test_lorax_reaches_only_what_it_downloads_from(spec: Object, expected: list[Object]) -> None:
    assert lorax_spec(**{"model": {"id": MODEL}} | spec)["egress"] == expected


def test_without_lorax_there_is_nothing_to_guard() -> None:
    assert network.lorax_policy(blueprint(enableLorax=False)) is None


def test_the_coordinator_is_open_on_its_two_ports() -> None:
    plan = blueprint()
    assert network.coordinator_policy(plan)["spec"] == {
        "podSelector": {"matchLabels": template_labels(coordinator.deployment(plan))},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": tcp(8000, 9090)}],
    }


@pytest.mark.parametrize(
    ("source", "port"),
    [
        (HuggingFaceSource(repo="a/b"), 443),
        (HuggingFaceSource(repo="a/b", endpoint="https://hub.example:8443"), 8443),
        (S3Source(bucket="lora", prefix="ceo", endpoint="http://minio:9000"), 9000),
        (S3Source(bucket="lora", prefix="ceo", endpoint="http://minio"), 80),
    ],
)
def test_the_sidecar_may_go_where_adapters_are_fetched_from(source: Source, port: int) -> None:
    plan = replace(blueprint(model={"id": "/data/m", "source": "Local"}), sources=(source,))
    policy = network.lorax_policy(plan)
    assert policy is not None
    assert policy["spec"]["egress"] == [{"ports": [*DNS, *tcp(port)]}]
