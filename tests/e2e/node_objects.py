"""A native node of a test's own: what it needs, and what runs on it."""

import os
from typing import Any

import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build
from boardroom.cluster.native import NativeNode

NODE = [
    pytest.mark.e2e,
    # The first run builds every program of a cluster.
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a native node needs root"),
]
NAMESPACE = "try"


def kubectl_of(node: NativeNode) -> Kubectl:
    return Kubectl(program=str(build.program("kubectl")), kubeconfig=str(node.kubeconfig()), namespace="default")


def apply(kubectl: Kubectl, *objects: dict[str, Any]) -> None:
    kubectl.run("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))


def manifest(version: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **content}


def claim(name: str) -> dict[str, Any]:
    request = {"requests": {"storage": "1Gi"}}
    return manifest("v1", "PersistentVolumeClaim", name, spec={"accessModes": ["ReadWriteOnce"], "resources": request})


def pod(
    name: str, image_: str, *, gpus: int = 1, claim: str = "", namespace: str = NAMESPACE, **container: Any
) -> dict[str, Any]:
    """A pod as restricted Pod Security wants it."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container |= {"name": "main", "image": image_, "imagePullPolicy": "Never", "securityContext": security}
    container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    made = manifest("v1", "Pod", name, spec=spec)
    made["metadata"] |= {"labels": {"app": name}, "namespace": namespace}
    return made
