"""An operator whose rights end at its namespaces: a Role in each, and nothing in the cluster."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.boards import agent, board
from integration.conftest import BASE
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import reason
from tools.waiting import until

RBAC = "rbac.authorization.k8s.io"
CLUSTER_SCOPED = {"clusterrolebindings", "clusterroles"}


def rights() -> list[Object]:
    """The ClusterRole's rules without what only a cluster has."""
    objects = yaml.safe_load_all((BASE / "rbac.yaml").read_text())
    (role,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == ("ClusterRole", "boardroom-operator")]
    return [rule for rule in role["rules"] if not CLUSTER_SCOPED & set(rule["resources"])]


@pytest.fixture
def narrow(apiserver: ControlPlane, kube: KubeApi, second_kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    user = f"narrow-{kube.namespace}"
    for place in (kube, second_kube):
        meta = {"name": "operator"}
        place.create({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rights()})
        ref = {"apiGroup": RBAC, "kind": "Role", "name": "operator"}
        subject = {"apiGroup": RBAC, "kind": "User", "name": user}
        place.create(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": ref,
                "subjects": [subject],
            }
        )
    kubeconfig = apiserver.write_kubeconfig(Identity(name=user, common_name=user, organization="test"))
    flags = ["--namespace", kube.namespace, "--namespace", second_kube.namespace]
    with OperatorProcess(kubeconfig, tmp_path / "log", *flags) as process:
        process.start()
        yield process


def is_built(place: KubeApi) -> bool:
    return len(place.names("Deployment")) == 2


def test_boards_of_its_namespaces_become_ready(narrow: OperatorProcess, kube: KubeApi, second_kube: KubeApi) -> None:
    for place in (kube, second_kube):
        place.create(board())
        place.create(agent("CEO"))
    until("both have an operator", lambda: all(reason(place) for place in (kube, second_kube)))
    assert narrow.ready()
    for place in (kube, second_kube):
        until("its objects", partial(is_built, place))
        assert "forbidden" not in str(place.condition("Boardroom", "executive", "Ready")["message"])
    assert "Forbidden" not in narrow.log.read_text()


def test_what_needs_the_whole_cluster_is_said(narrow: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(coordinator={"auth": {"mode": "Kubernetes"}}))
    until("it is said", lambda: reason(kube) == "ClusterWideOnly")
    assert "choose ApiKey" in kube.condition("Boardroom", "executive", "Stalled")["message"]
