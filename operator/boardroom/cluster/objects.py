"""The objects that a native node creates in its API server: rights of its parts and a StorageClass."""

from __future__ import annotations

from typing import Any

from boardroom.cluster.node_config import HOME, NODE_NAME

RBAC = "rbac.authorization.k8s.io"
PROVISIONER = "boardroom.dev/directory"
STORAGE_CLASS = "standard"
VOLUMES = HOME / "volumes"

_PROXY = "system:kube-proxy"
_DNS = "system:coredns"


def cluster_objects() -> list[tuple[str, Any]]:
    """Return (path, manifest) of every object to apply once the API server is ready."""
    roles = f"/apis/{RBAC}/v1/clusterroles"
    bindings = f"/apis/{RBAC}/v1/clusterrolebindings"
    return [
        (f"{bindings}/{_PROXY}", _binding(_PROXY, role="system:node-proxier")),
        (f"{roles}/{_DNS}", _dns_role()),
        (f"{bindings}/{_DNS}", _binding(_DNS, role=_DNS)),
        (f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", _storage_class()),
    ]


def gpu_patch(count: int) -> Any:
    """Return the patch of a node status with `count` GPUs. The kubelet keeps resources that it does not own."""
    gpus = {"nvidia.com/gpu": str(count)}
    return {"status": {"capacity": gpus, "allocatable": gpus}}


def volume(claim: Any) -> Any:
    """Return the PersistentVolume for a claim of our class: a folder of this machine, named for the claim's uid."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": str(VOLUMES / name), "type": "Directory"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
                            ]
                        }
                    ]
                }
            },
        },
    }


def unbound(claims: list[Any]) -> list[Any]:
    """Return the claims of our class that wait for a volume."""
    return [
        claim
        for claim in claims
        if claim["spec"].get("storageClassName") == STORAGE_CLASS
        and not claim["spec"].get("volumeName")
        and "deletionTimestamp" not in claim["metadata"]
    ]


def released(volumes: list[Any]) -> list[str]:
    """Return the names of the volumes of ours whose claim is gone."""
    return [
        volume["metadata"]["name"]
        for volume in volumes
        if volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
        and volume.get("status", {}).get("phase") == "Released"
    ]


def _binding(user: str, *, role: str) -> Any:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


def _dns_role() -> Any:
    read = ["list", "watch"]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _DNS},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
        ],
    }


def _storage_class() -> Any:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }
