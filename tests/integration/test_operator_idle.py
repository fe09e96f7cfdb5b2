"""An operator and a coordinator whose board is as it should be write nothing, however often they look."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from boardroom.adapters.synthetic import Shape, make
from boardroom.cluster.controlplane import ControlPlane
from integration.boards import MODEL, agent, board
from integration.kube_api import PATHS, KubeApi
from integration.live_board import LiveBoard, running
from integration.operator_process import OperatorProcess
from integration.playing import OWNED_BY_KEYS, play_kubelet, wait_built
from tools.waiting import until

LEASE = "Lease/executive-coordinator"


@pytest.fixture
def live(apiserver: ControlPlane, operator_here: OperatorProcess, kube: KubeApi, tmp_path: Path) -> Iterator[LiveBoard]:
    """A board of one, Ready because its coordinator says so."""
    assert operator_here is not None
    models = tmp_path / "models"
    make(models, ["CEO"], Shape(base_model=MODEL))
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "executive-api-keys"}}
    kube.create(keys | {"stringData": {"somebody": "a key that is long enough for anybody"}})
    kube.create(board(adapters={"mountPath": str(models)}))
    kube.create(agent("CEO"))
    wait_built(kube, OWNED_BY_KEYS)
    play_kubelet(kube, "lorax")
    play_kubelet(kube, "coordinator")
    with running(apiserver, kube, models, tmp_path) as found:
        found.wait_proved("ceo")
        until("the board is ready", lambda: kube.condition("Boardroom", "executive", "Ready")["status"] == "True")
        yield found


def versions(kube: KubeApi) -> dict[str, str]:
    """Of every object in the namespace that either of them could write."""
    return {
        f"{kind}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for kind in PATHS for o in kube.every(kind)
    }


def test_nothing_is_written_at_steady_state(operator_here: OperatorProcess, live: LiveBoard) -> None:
    kube = live.kube

    def lease() -> str:
        return str(kube.live("Lease", "executive-coordinator")["metadata"]["resourceVersion"])

    def lease_moved(since: str) -> bool:
        return lease() != since

    def look_on() -> None:
        """While the coordinator renews its Lease four times (figures are held for less), and the operator looks."""
        seen = operator_here.reconciles()
        for _ in range(4):
            until("the Lease is renewed", partial(lease_moved, lease()))
        until("many reconciles", lambda: operator_here.reconciles() > seen + 5)

    def quiet() -> bool:
        writes = operator_here.writes()
        look_on()
        return operator_here.writes() == writes

    until("it settles", quiet)
    before, writes, said = versions(kube), operator_here.writes(), live.status_writes()
    assert writes > 0
    assert said > 0
    look_on()
    after = versions(kube)
    assert {name for name in before | after if before.get(name) != after.get(name)} == {LEASE}
    assert (operator_here.writes(), live.status_writes()) == (writes, said)
