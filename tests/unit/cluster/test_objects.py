"""What a native node keeps in its API server, and how claims become volumes."""

from typing import Any

import pytest

from boardroom.cluster import objects


def _claim(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": "u-1", "namespace": "ns", "name": "data"},
        "spec": {
            "storageClassName": "standard",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        | spec,
    }


def test_a_volume_is_bound_to_its_claim_alone() -> None:
    spec = objects.volume(_claim())["spec"]
    expected = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "ns", "name": "data", "uid": "u-1"}
    assert spec["claimRef"] == expected


def test_a_volume_has_what_its_claim_asks() -> None:
    spec = objects.volume(_claim(accessModes=["ReadWriteMany"]))["spec"]
    assert (spec["accessModes"], spec["capacity"]) == (["ReadWriteMany"], {"storage": "1Gi"})


def test_a_volumes_folder_is_named_for_the_claims_uid() -> None:
    assert objects.volume(_claim())["spec"]["hostPath"]["path"] == "/run/boardroom/volumes/pvc-u-1"


@pytest.mark.parametrize(
    ("claim", "waits"),
    [
        (_claim(), True),
        (_claim(volumeName="pvc-u-1"), False),
        (_claim(storageClassName="other"), False),
        (_claim(storageClassName=""), False),
        (_claim() | {"metadata": {"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"}}, False),
    ],
)
def test_a_claim_waits_for_a_volume(claim: dict[str, Any], waits: bool) -> None:
    assert objects.unbound([claim]) == ([claim] if waits else [])


@pytest.mark.parametrize(
    ("annotations", "phase", "expected"),
    [
        ({"pv.kubernetes.io/provisioned-by": objects.PROVISIONER}, "Released", ["pvc-1"]),
        ({"pv.kubernetes.io/provisioned-by": objects.PROVISIONER}, "Bound", []),
        ({"pv.kubernetes.io/provisioned-by": "somebody/else"}, "Released", []),
        ({}, "Released", []),
    ],
)
def test_only_a_released_volume_of_ours_is_removed(
    annotations: dict[str, str], phase: str, expected: list[str]
) -> None:
    volume = {"metadata": {"name": "pvc-1", "annotations": annotations}, "status": {"phase": phase}}
    assert objects.released([volume]) == expected


def test_each_object_is_applied_at_its_own_name() -> None:
    applied = objects.cluster_objects()
    assert [path.rsplit("/", 1)[1] for path, _ in applied] == [manifest["metadata"]["name"] for _, manifest in applied]
