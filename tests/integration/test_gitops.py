"""What we ship for Argo CD and Flux is taken by their own CRDs on a real API server."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build
from boardroom.cluster.controlplane import ControlPlane
from integration.foreign_crds import (
    ARGO_APPLICATION,
    FLUX_GIT,
    FLUX_HELM_RELEASE,
    FLUX_KUSTOMIZATION,
    FLUX_OCI,
    ForeignCrd,
)
from integration.kube_api import KubeApi
from tools.waiting import until

MANIFESTS = Path(__file__).parents[2] / "manifests"
OVERLAY = """\
namespace: argocd
resources: [argocd-cm.yaml]
components: [{component}]
"""
ARGOCD_CM = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, labels: {app.kubernetes.io/part-of: argocd}}
data: {url: https://argocd.example.com}
"""


@pytest.mark.parametrize(
    ("files", "crds"),
    [
        ("argocd", [ARGO_APPLICATION]),
        ("flux", [FLUX_HELM_RELEASE, FLUX_KUSTOMIZATION, FLUX_GIT, FLUX_OCI]),
    ],
)
def test_its_own_crds_take_what_we_ship(
    apiserver: ControlPlane, kube: KubeApi, tmp_path: Path, files: str, crds: list[ForeignCrd]
) -> None:
    roots = [_served(kube, crd.load(tmp_path)) for crd in crds]
    kinds = dict(roots)
    judged = []
    for file in sorted((MANIFESTS / files).glob("*.yaml")):
        for obj in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            path = kinds.get(f"{obj['apiVersion']} {obj['kind']}")
            if path is not None:
                placed = obj | {"metadata": obj["metadata"] | {"namespace": kube.namespace}}
                response = kube.http.post(path, json=placed, params={"dryRun": "All", "fieldValidation": "Strict"})
                assert response.status_code == 201, f"{file.name}: {response.text}"
                judged.append(obj["kind"])
    assert sorted(set(judged)) == sorted(kind.split()[1] for kind in kinds)


def test_the_component_adds_both_health_checks_to_argocds_own_configuration(tmp_path: Path) -> None:
    (tmp_path / "argocd").symlink_to(MANIFESTS / "argocd")
    (tmp_path / "argocd-cm.yaml").write_text(ARGOCD_CM)
    (tmp_path / "kustomization.yaml").write_text(OVERLAY.format(component="argocd"))
    kubectl = Kubectl(program=str(build.program("kubectl")))
    [config] = yaml.safe_load_all(kubectl.run("kustomize", str(tmp_path)))
    key = "resource.customizations.health.boardroom.dev_"
    health = MANIFESTS / "argocd" / "health"
    assert config["data"] == {
        "url": "https://argocd.example.com",
        f"{key}Boardroom": (health / "boardroom.lua").read_text(encoding="utf-8"),
        f"{key}BoardAgent": (health / "boardagent.lua").read_text(encoding="utf-8"),
    }


def _served(kube: KubeApi, crd: dict[str, Any]) -> tuple[str, str]:
    """Install a CRD; its kind, and where objects of it go in the test's namespace."""
    name, spec = crd["metadata"]["name"], crd["spec"]
    kube.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", crd).raise_for_status()
    [version] = [v["name"] for v in spec["versions"] if v["storage"]]
    path = f"/apis/{spec['group']}/{version}/namespaces/{kube.namespace}/{spec['names']['plural']}"
    until(f"{name} is served", lambda: kube.http.get(path).is_success)
    return f"{spec['group']}/{version} {spec['names']['kind']}", path
