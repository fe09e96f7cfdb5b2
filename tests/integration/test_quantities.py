"""Quantities as numbers: taken by API servers old and new, and no reason to write again."""

import copy
from pathlib import Path
from typing import Any

import pytest

from boardroom.api.generate import crds
from boardroom.api.kubectl_yaml import documents
from boardroom.api.manifest import read_manifests
from boardroom.api.pods import ResourceRequirements
from integration.boards import MODEL, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from integration.playing import reason
from tools.helm import CHARTS, Helm, HelmError
from tools.waiting import until

NUMBERS = {"requests": {"cpu": 2, "memory": 64_000_000_000}, "limits": {"memory": 68_719_476_736}}


def without_lengths(node: Any) -> Any:
    """A schema as API servers before 1.36 reckon with it: to them each int-or-string is as long as a request."""
    if isinstance(node, list):
        return [without_lengths(each) for each in node]
    if not isinstance(node, dict):
        return node
    dropped = {"maxLength"} if node.get("x-kubernetes-int-or-string") else set()
    return {name: without_lengths(each) for name, each in node.items() if name not in dropped}


def test_the_rules_on_quantities_are_cheap_enough_for_older_api_servers(kube: KubeApi) -> None:
    crd = without_lengths(copy.deepcopy(crds.crds()[crds.BOARDROOMS_FILE]))
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"
    answer = kube.http.put(
        path, params={"dryRun": "All"}, json=crd | {"metadata": kube.http.get(path).json()["metadata"]}
    )
    assert answer.is_success, answer.text


def test_numbers_reach_the_pods_and_are_written_once(operator_here: OperatorProcess, kube: KubeApi) -> None:
    cache = {"size": 53_687_091_200}
    kube.create(
        board(
            model={"id": MODEL, "cache": cache},
            lorax={"resources": NUMBERS, "shmSize": 1_073_741_824},
            adapters={"downloads": {"sizeLimit": 20_000_000_000}, "maxSize": 1_000_000},
        )
    )
    until("all is made", lambda: kube.get("Deployment", "executive-lorax") and reason(kube))
    pod = kube.live("Deployment", "executive-lorax")["spec"]["template"]["spec"]
    (lorax,) = (c for c in pod["containers"] if c["name"] == "lorax")
    volumes = {v["name"]: v for v in pod["volumes"]}
    claim = kube.live("PersistentVolumeClaim", "executive-model-cache")
    assert lorax["resources"]["requests"] == {"cpu": "2", "memory": "64G"}
    assert lorax["resources"]["limits"]["memory"] == "68719476736"
    assert volumes["shm"]["emptyDir"]["sizeLimit"] == "1073741824"
    assert claim["spec"]["resources"]["requests"]["storage"] == "53687091200"

    def quiet() -> bool:
        writes, seen = operator_here.writes(), operator_here.reconciles()
        until("many reconciles", lambda: operator_here.reconciles() > seen + 5)
        return operator_here.writes() == writes

    until("it writes nothing more", quiet)


def test_helm_takes_numbers_from_flags_and_files(tmp_path: Path) -> None:
    """Of a number in a file Helm makes a float, and writes a large one with an exponent."""
    (tmp_path / "values.yaml").write_text("spec: {lorax: {resources: {limits: {memory: 68719476736}}}}\n")
    flags = ["--set", "spec.lorax.resources.requests.cpu=4", "--set", "spec.coordinator.resources.limits.cpu=0.5"]
    sizes = ["--set", "adaptersClaim.create=true", "--set", "adaptersClaim.size=53687091200"]
    helm = Helm.of("helm4", tmp_path / "helm")
    text = helm.run("template", "b", str(CHARTS / "boardroom"), "-f", str(tmp_path / "values.yaml"), *flags, *sizes)
    ((board_,), _) = read_manifests([("", text)])
    lorax, coordinator = board_.spec.lorax.resources, board_.spec.coordinator.resources
    assert lorax == ResourceRequirements(requests={"cpu": "4"}, limits={"memory": "68719476736"})
    assert coordinator == ResourceRequirements(limits={"cpu": "500m"})
    (claim,) = (o for o in documents(text) if o and o["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == 53687091200


def test_helm_names_a_float_that_a_board_cannot_have(tmp_path: Path) -> None:
    helm = Helm.of("helm4", tmp_path / "helm")
    with pytest.raises(HelmError, match="at '/spec/lorax/shmSize'"):
        helm.run("template", "b", str(CHARTS / "boardroom"), "--set-json", "spec.lorax.shmSize=1.5")
