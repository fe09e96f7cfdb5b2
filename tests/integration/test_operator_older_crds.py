"""CRDs that are older than the operator, or go and come while it runs, on a real API server of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from boardroom.api.generate import crds
from boardroom.cluster.controlplane import ControlPlane
from integration.boards import board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from tools.waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install(kube: KubeApi, *, older: bool) -> None:
    """The CRDs; the older ones had no status.auth yet."""
    for crd in crds.crds().values():
        known: dict[str, Any] = json.loads(json.dumps(crd))
        if older:
            status = known["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
            status.pop("auth", None)
        kube.apply(f"{CRDS}/{known['metadata']['name']}", known).raise_for_status()


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[KubeApi]:
    """Nobody else's CRDs are touched: an API server of the test's own."""
    with (
        ControlPlane(tmp_path / "apiserver", controller_manager=False) as own,
        KubeApi(own.kubeconfig, own.server, "default") as found,
    ):
        yield found


@pytest.fixture
def operator(kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(tmp_path / "apiserver" / "kubeconfig", tmp_path / "log", "--namespace", "default") as process:
        yield process


def test_it_does_not_start_over_older_crds_and_says_so(kube: KubeApi, operator: OperatorProcess) -> None:
    def said() -> str:
        return httpx.get(f"{operator.url('probes')}/readyz").text if operator.url("probes") else ""

    operator.launch()
    until("it misses the CRDs", lambda: "the CRDs are not installed" in said())
    install(kube, older=True)
    until("it finds them too old", lambda: "they lack Boardroom.status.auth; " in said())
    assert "kubectl apply --server-side -k crds" in said()
    assert said() != "ok"
    kube.create(board())
    install(kube, older=False)
    until("it starts", operator.ready)
    until("the board has a status", lambda: kube.live("Boardroom", "executive")["status"].get("auth"))
    log = operator.log.read_text()
    assert log.count("the CRDs are older than the operator") == 1


def test_crds_that_grow_older_under_it_are_told_with_the_remedy(kube: KubeApi, operator: OperatorProcess) -> None:
    install(kube, older=False)
    operator.start()
    install(kube, older=True)
    kube.create(board())
    until("it is told", lambda: "the CRDs are older than the operator" in operator.log.read_text(), 60)


def test_crds_that_go_and_come_are_watched_again_by_the_same_operator(kube: KubeApi, operator: OperatorProcess) -> None:
    install(kube, older=False)
    operator.start()
    kube.create(board())
    until("it is looked at", lambda: observed(kube, "executive") == 1)
    for crd in crds.crds().values():
        kube.http.delete(f"{CRDS}/{crd['metadata']['name']}").raise_for_status()
    until("it is said", lambda: "boardrooms are not served: was the CRD deleted?" in operator.log.read_text())

    install(kube, older=False)
    until("they are served", lambda: all(kube.http.get(kube.path(k)).is_success for k in ("Boardroom", "BoardAgent")))
    kube.create(board("finance"))
    until("it is looked at again", lambda: observed(kube, "finance") == 1)
    kube.patch("Boardroom", "finance", {"spec": {"maxMembers": 7}})
    until("the edit is seen", lambda: observed(kube, "finance") == 2)
    assert operator.process is not None
    assert operator.process.poll() is None


def observed(kube: KubeApi, name: str) -> int:
    status: Object = kube.live("Boardroom", name).get("status", {})
    return int(status.get("observedGeneration", 0))
