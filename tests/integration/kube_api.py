"""The API server that the tests started, and no other: a small client of the tests' own."""

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

Object = dict[str, Any]
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}
OURS = "/apis/boardroom.dev/v1alpha1"
PATHS = {
    "Boardroom": (OURS, "boardrooms"),
    "BoardAgent": (OURS, "boardagents"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Pod": ("/api/v1", "pods"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "ResourceClaimTemplate": ("/apis/resource.k8s.io/v1", "resourceclaimtemplates"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Event": ("/apis/events.k8s.io/v1", "events"),
}


class KubeApi:
    """Objects as dicts, by kind and name, in one namespace."""

    def __init__(self, kubeconfig: Path, server: str, namespace: str = "default") -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        if cluster["server"] != server:
            raise RuntimeError(f"{kubeconfig} is of {cluster['server']}, not of the API server that the tests started")
        trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:  # ssl reads keys from files only
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(b"\n" + base64.b64decode(user["client-key-data"]))
            pair.flush()
            trust.load_cert_chain(pair.name)
        self.http = httpx.Client(base_url=server, verify=trust, timeout=30.0)
        self.namespace = namespace

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def path(self, kind: str, name: str = "") -> str:
        root, plural = PATHS[kind]
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, kind: str, name: str) -> Object | None:
        response = self.http.get(self.path(kind, name))
        return None if response.status_code == 404 else response.raise_for_status().json()

    def live(self, kind: str, name: str) -> Object:
        """An object that must be there."""
        found = self.get(kind, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    def every(self, kind: str, selector: str = "") -> list[Object]:
        params = {"labelSelector": selector} if selector else {}
        items: list[Object] = self.http.get(self.path(kind), params=params).raise_for_status().json()["items"]
        return items

    def names(self, kind: str) -> list[str]:
        return sorted(item["metadata"]["name"] for item in self.every(kind))

    def create(self, obj: Object) -> Object:
        return self.try_create(obj).raise_for_status().json()

    def try_create(self, obj: Object, **params: str) -> httpx.Response:
        placed = obj | {"metadata": obj["metadata"] | {"namespace": self.namespace}}
        return self.http.post(self.path(obj["kind"]), json=placed, params=params)

    def apply(self, path: str, obj: Object, manager: str = "test", **params: str) -> httpx.Response:
        """Server-side apply at any path."""
        return self.http.patch(
            path, json=obj, headers=APPLY, params={"fieldManager": manager, "force": "true"} | params
        )

    def patch(self, kind: str, name: str, patch: Object, subresource: str = "") -> Object:
        path = self.path(kind, name) + (f"/{subresource}" if subresource else "")
        return self.http.patch(path, json=patch, headers=MERGE).raise_for_status().json()

    def delete(self, kind: str, name: str) -> None:
        self.http.delete(self.path(kind, name)).raise_for_status()

    def condition(self, kind: str, name: str, type_: str) -> Object:
        """One condition, or a placeholder where there is none."""
        status = (self.get(kind, name) or {}).get("status", {})
        conditions = status.get("conditions", ())
        absent = {"type": type_, "status": "Absent", "reason": "", "message": ""}
        return next((c for c in conditions if c["type"] == type_), absent)
