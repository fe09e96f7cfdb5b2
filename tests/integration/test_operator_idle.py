"""An operator whose boards are as they should be writes nothing, however often it looks, and also after a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.boards import agent, board
from integration.kube_api import KubeApi, until
from integration.operator_process import OperatorProcess
from integration.playing import OWNED, make_ready


@pytest.fixture
def operator(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Of this namespace only: others may be being deleted just now."""
    flags = ["--namespace", kube.namespace, "--resync-seconds", "1"]
    process = OperatorProcess(operator_kubeconfig, tmp_path / "log", *flags)
    process.start()
    yield process
    process.kill()


def quiet(operator: OperatorProcess) -> bool:
    """Whether nothing was written for a whole resync."""
    writes, seen = operator.writes(), operator.reconciles()
    until("another reconcile", lambda: operator.reconciles() > seen)
    return operator.writes() == writes


def test_nothing_is_written_at_steady_state(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")

    def versions() -> dict[str, str]:
        kinds = (*OWNED, "Boardroom", "BoardAgent", "Pod")
        return {
            f"{kind}/{o['metadata']['name']}": o["metadata"]["resourceVersion"]
            for kind in kinds
            for o in kube.every(kind)
        }

    until("it settles", lambda: quiet(operator))
    before, writes, seen = versions(), operator.writes(), operator.reconciles()
    assert writes > 0
    until("many more reconciles", lambda: operator.reconciles() > seen + 5)
    assert (versions(), operator.writes()) == (before, writes)


def test_a_restarted_operator_writes_only_what_drifted_meanwhile(operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(lorax={"resources": {"limits": {"memory": "24Gi", "cpu": "500m"}}}, model={"id": "org/model"}))
    kube.create(agent("CEO"))
    make_ready(kube, "CEO")
    until("it settles", lambda: quiet(operator))
    operator.stop()
    operator.start()
    until("it settles again", lambda: quiet(operator))
    assert operator.writes() == 0
    operator.stop()
    kube.patch("Service", "executive-lorax", {"spec": {"ports": [{"name": "http", "port": 1}]}})
    port = kube.live("Service", "executive-lorax")["spec"]["ports"][0]["port"]
    operator.start()
    until(
        "the drift is corrected",
        lambda: kube.live("Service", "executive-lorax")["spec"]["ports"][0]["port"] != port,
    )
    until("it settles once more", lambda: quiet(operator))
    assert operator.writes() == 1
