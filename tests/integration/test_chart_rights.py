"""The rights that the chart gives are those that the operator needs: a board comes into being under them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.boards import agent, board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from tools.helm import Helm
from tools.waiting import until

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def install(apiserver: ControlPlane, objects: list[Object]) -> None:
    """The rights of a release."""
    with KubeApi(apiserver.kubeconfig, apiserver.server) as kube:
        for obj in objects:
            if obj["apiVersion"].startswith("rbac."):
                place = obj["metadata"].get("namespace")
                path = (
                    f"{RBAC}/{f'namespaces/{place}/' if place else ''}{obj['kind'].lower()}s/{obj['metadata']['name']}"
                )
                kube.apply(path, obj).raise_for_status()


@pytest.fixture
def narrow(apiserver: ControlPlane, kube: KubeApi, second_kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator in the second namespace that looks at the first, with the Roles of its release."""
    release = Helm.of("helm4", tmp_path).template(
        "boardroom-operator",
        "--set", f"image.repository=x,watchNamespaces={{{kube.namespace}}},rbac.boardRoles=false",
        namespace=second_kube.namespace,
    )  # fmt: skip
    assert {obj["kind"] for obj in release if obj["apiVersion"].startswith("rbac.")} == {"Role", "RoleBinding"}
    install(apiserver, release)
    (deployment,) = [obj for obj in release if obj["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    identity = Identity(
        name=f"operator-{kube.namespace}",
        common_name=f"system:serviceaccount:{second_kube.namespace}:{pod['serviceAccountName']}",
        organization="system:serviceaccounts",
    )
    watched = [flag for flag in pod["containers"][0]["args"] if flag.startswith("--namespace")]
    flags = (*watched, "--lease-namespace", second_kube.namespace)
    with OperatorProcess(apiserver.write_kubeconfig(identity), tmp_path / "log", *flags) as process:
        process.start()
        yield process


def test_an_operator_of_one_namespace_makes_a_board_with_no_cluster_wide_right(
    narrow: OperatorProcess, kube: KubeApi, second_kube: KubeApi
) -> None:
    kube.create(board(model={"id": "x/y", "cache": {"size": "1Gi"}}))
    kube.create(agent("CEO"))
    until("its last object", lambda: kube.get("Deployment", "executive-coordinator"))
    until("the status", lambda: kube.condition("Boardroom", "executive", "LoraxReady")["reason"])
    assert "ApplyRefused" not in str(kube.live("Boardroom", "executive")["status"])
    until("the member's status", lambda: kube.condition("BoardAgent", "ceo", "Accepted")["status"] == "True")
    assert kube.names("Role") == ["boardroom-operator", "executive-coordinator"]
    assert second_kube.names("Lease") == ["boardroom-operator"]
    kube.patch("Boardroom", "executive", {"spec": {"enableLorax": False}})
    until("what is no longer needed goes", lambda: kube.get("Deployment", "executive-lorax") is None)
    assert '"status": 403' not in narrow.log.read_text()
