"""Remedies name the fields of spec, the Secrets, the claims and the devices."""

from datetime import UTC, datetime

import pytest

from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.messages import coordinator_messages, lorax_messages
from boardroom.controller.status.pod_problems import PodUnderTest, WorkloadMessages, explain
from unit.controller.objects import Object, blueprint, container, pod, unschedulable


def said(found: Object, words: WorkloadMessages) -> ConditionValue:
    return explain(PodUnderTest(live=found, messages=words, now=datetime(2026, 11, 23, 0, 1, tzinfo=UTC)))


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
    value = said(pod(conditions=conditions), lorax_messages(blueprint(lorax={"resourceClaims": claims})))
    assert (value.reason, words in value.message) == (reason, True)


@pytest.mark.parametrize(
    ("spec", "secret", "field"),
    [
        ({"model": {"id": "m", "tokenSecretRef": {"name": "hf", "key": "t"}}}, "hf", "spec.model.tokenSecretRef"),
        ({"lorax": {"env": [{"name": "X", "secretKeyRef": {"name": "x", "key": "k"}}]}}, "x", "spec.lorax.env"),
    ],
)
def test_the_field_that_names_a_missing_secret_is_told(spec: Object, secret: str, field: str) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": f'secret "{secret}" not found'}
    found = said(pod(container(waiting=waiting)), lorax_messages(blueprint(**spec)))
    assert f"create that Secret ({field})" in found.message


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
    assert words in said(waiting, lorax_messages(blueprint(**spec))).message


@pytest.mark.parametrize("started", [False, True], ids=["starting", "not answering"])
def test_a_coordinator_without_its_keys_says_which_secret_lets_people_in(*, started: bool) -> None:
    status = container("coordinator") | {"started": started}
    message = said(pod(status), coordinator_messages(blueprint(clusterwide=False))).message
    assert "until Secret executive-api-keys (spec.coordinator.auth.apiKeySecretRef) holds an API key" in message
    assert "kubectl create secret generic executive-api-keys --from-literal=app=" in message
