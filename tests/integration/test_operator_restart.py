"""An operator that starts over boards that stand writes nothing but what drifted while none looked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.boards import agent, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from tools.waiting import until


@pytest.fixture
def operator(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Of this namespace only: others may be being deleted just now."""
    flags = ["--namespace", kube.namespace, "--resync-seconds", "1"]
    with OperatorProcess(operator_kubeconfig, tmp_path / "log", *flags) as process:
        process.start()
        yield process


def settle(operator: OperatorProcess, kube: KubeApi) -> None:
    """Until the last of the children is there, and nothing was written for a whole resync."""

    def quiet() -> bool:
        writes, seen = operator.writes(), operator.reconciles()
        until("another reconcile", lambda: operator.reconciles() > seen)
        return operator.writes() == writes

    until("the children are there", lambda: kube.get("Deployment", "executive-coordinator"))
    until("it settles", quiet)


def test_a_restarted_operator_writes_only_what_drifted_meanwhile(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(lorax={"resources": {"limits": {"memory": "24Gi", "cpu": "500m"}}}))
    kube.create(agent("CEO"))
    settle(operator, kube)
    operator.stop()
    operator.start()
    settle(operator, kube)
    assert operator.writes() == 0
    operator.stop()
    selector = kube.live("Service", "executive-lorax")["spec"]["selector"]
    kube.patch("Service", "executive-lorax", {"spec": {"selector": {"app.kubernetes.io/component": "other"}}})
    assert kube.live("Service", "executive-lorax")["spec"]["selector"] != selector
    operator.start()
    settle(operator, kube)
    assert operator.writes() == 1
    assert kube.live("Service", "executive-lorax")["spec"]["selector"] == selector
