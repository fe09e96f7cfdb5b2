"""A change of the operator's own reaches boards in turn, also over its restarts, on a real API server.

In a file of its own: no other operator may look at these boards.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.boards import agent, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from integration.playing import bring_up, reason
from tools.waiting import until


@pytest.fixture
def launch(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """Operators of this namespace, one after the other, with defaults of their own."""
    with OperatorProcess(operator_kubeconfig, tmp_path / "log", "--namespace", kube.namespace) as process:

        def start(**env: str) -> OperatorProcess:
            if process.process is not None:
                process.stop()
            process.env = env
            process.start()
            return process

        yield start


def test_a_change_of_the_operators_defaults_rolls_boards_one_at_a_time(
    launch: Callable[..., OperatorProcess], kube: KubeApi
) -> None:
    names = ["executive", "finance", "legal"]
    launch()
    for name in names:
        kube.create(board(name, lorax={"port": 7777} if name == "legal" else {}))
        kube.create(agent("CEO", name, name=f"{name}-ceo", adapter={"none": True}))
    for name in names:
        up(kube, name)
    legal = {n: kube.live("Deployment", n)["metadata"]["generation"] for n in ("legal-lorax", "legal-coordinator")}

    launch(AOS_LORAX_PORT="9999")
    first = until("one rolls", lambda: next((n for n in names if turn(kube, n) == "RollingOut"), None))
    second = next(n for n in names[:2] if n != first)
    until("the other waits", lambda: turn(kube, second) == "WaitingForTurn")
    assert kube.condition("Boardroom", second, "Ready")["status"] == "True"
    assert (port(kube, first), port(kube, second)) == (9999, 8080)
    assert kube.live("Boardroom", second)["status"]["lorax"]["effective"]["port"] == 8080

    launch(AOS_LORAX_PORT="9999")  # its successor goes on where it was
    until("the other still waits", lambda: turn(kube, second) == "WaitingForTurn")
    assert port(kube, second) == 8080
    up(kube, first)
    until("the other's turn comes", lambda: turn(kube, second) == "RollingOut")  # said once all of it is written
    assert port(kube, second) == 9999
    up(kube, second)
    until("both are through", lambda: {turn(kube, n) for n in names} == {"UpToDate"})
    assert {n: kube.live("Deployment", n)["metadata"]["generation"] for n in legal} == legal
    told = {e["reason"] for e in kube.every("Event") if e["regarding"]["name"] == second}
    assert {"RolloutWaiting", "RolloutStarted", "RolloutDone"} <= told


def turn(kube: KubeApi, name: str) -> str:
    return reason(kube, name, "UpToDate")


def port(kube: KubeApi, name: str) -> int:
    return int(kube.live("Service", f"{name}-lorax")["spec"]["ports"][0]["port"])


def up(kube: KubeApi, name: str) -> None:
    bring_up(kube, f"{name}-ceo", board=name)
