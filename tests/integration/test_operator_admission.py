"""What the cluster's own admission does not let the operator do stands in the board's status, and heals by itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.boards import board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import message, reason, wait_built
from tools.waiting import until

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
Put = Callable[[str, str, Object], str]
DRY = {"dryRun": "All"}
LABELS = {"app": "probe"}
SPEC = {
    "selector": {"matchLabels": LABELS},
    "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
}
DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}


@pytest.fixture
def put(kube: KubeApi) -> Iterator[Put]:
    """Makes an object of admission for the test's own namespace; returns its path. All are gone after the test."""
    made: list[str] = []

    def make(plural: str, kind: str, body: Object) -> str:
        path = f"{ADMISSION}/{plural}/{kube.namespace}"
        obj = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": kube.namespace}}
        kube.apply(path, obj | body).raise_for_status()
        made.append(path)
        return path

    yield make
    for path in made:
        kube.http.delete(path)


def here(kube: KubeApi) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}


def test_a_policy_that_lets_nothing_be_deleted_is_named(operator: OperatorProcess, kube: KubeApi, put: Put) -> None:
    kube.create(board())
    wait_built(kube)
    rules = [DEPLOYMENTS | {"operations": ["DELETE"]}]
    validations = [{"expression": "false", "message": "nothing is deleted here"}]
    policy = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": validations}
    put("validatingadmissionpolicies", "ValidatingAdmissionPolicy", {"spec": policy})
    binding = {"policyName": kube.namespace, "validationActions": ["Deny"]}
    bound = put(
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        {"spec": binding | {"matchResources": {"namespaceSelector": here(kube)}}},
    )
    until(
        "it holds", lambda: kube.http.delete(kube.path("Deployment", "executive-lorax"), params=DRY).status_code == 422
    )
    kube.patch("Boardroom", "executive", {"spec": {"enableLorax": False}})
    until("the board says so", lambda: reason(kube) == "ApplyRefused")
    said = message(kube)
    assert "the API server won't have Deployment executive-lorax deleted" in said
    assert "nothing is deleted here" in said
    assert kube.live("Boardroom", "executive")["status"]["observedGeneration"] == 2
    kube.http.delete(bound).raise_for_status()
    until("LoRAX is gone", lambda: kube.names("Deployment") == ["executive-coordinator"], 150)
    until("the board says what it lacks now", lambda: reason(kube) == "NoEngine")


def test_a_webhook_that_does_not_answer_is_named(operator: OperatorProcess, kube: KubeApi, put: Put) -> None:
    webhook = {
        "name": "policy.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [DEPLOYMENTS | {"operations": ["CREATE"]}],
        "namespaceSelector": here(kube),
    }
    path = put("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", {"webhooks": [webhook]})
    probe = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe"}}
    until("it holds", lambda: kube.try_create(probe | {"spec": SPEC}, dryRun="All").status_code == 500)
    kube.create(board())
    until("the board says so", lambda: reason(kube) == "WebhookFailed")
    said = message(kube)
    assert "Deployment executive-lorax" in said
    assert "policy.example.com" in said
    assert kube.names("Service") == ["executive-coordinator", "executive-lorax"]
    kube.http.delete(path).raise_for_status()
    until("the Deployments", lambda: kube.names("Deployment") == ["executive-coordinator", "executive-lorax"])
    until("the board goes on", lambda: reason(kube) == "LoraxStarting")
