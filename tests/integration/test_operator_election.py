"""Two operators on one API server: one leads, the other takes over, and never do both write."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from boardroom.cluster.controlplane import ControlPlane
from integration.boards import agent, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from integration.playing import OWNED_BY_KEYS, wait_built
from tools.waiting import until

Launch = Callable[..., OperatorProcess]
TAKEN_OVER_SECONDS = 20.0


@pytest.fixture
def launch(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[Launch]:
    """Start operators of one Lease, each under a name of its own; they resync every second."""
    with ExitStack() as stack:

        def start(name: str, **env: str) -> OperatorProcess:
            named = {"POD_NAME": name, "POD_NAMESPACE": "boardroom-system"} | env
            flags = ["--namespace", kube.namespace, "--resync-seconds", "1"]
            process = OperatorProcess(operator_kubeconfig, tmp_path / f"{name}.log", *flags, env=named)
            stack.enter_context(process).start()
            return process

        yield start


@pytest.fixture
def lease(apiserver: ControlPlane) -> Iterator[Callable[[], str]]:
    """Who holds the Lease; there is none before the test."""
    with KubeApi(apiserver.kubeconfig, apiserver.server, "boardroom-system") as system:
        if system.get("Lease", "boardroom-operator"):
            system.delete("Lease", "boardroom-operator")
        yield lambda: str(system.live("Lease", "boardroom-operator")["spec"]["holderIdentity"]).split("_")[0]


def test_a_standby_is_ready_and_writes_nothing(launch: Launch, lease: Callable[[], str], kube: KubeApi) -> None:
    first, second = launch("first"), launch("second")
    kube.create(board())
    kube.create(agent("CEO"))
    wait_built(kube, OWNED_BY_KEYS)
    assert lease() == "first"
    assert (first.leads(), second.leads()) == (True, False)
    assert second.ready()
    assert (second.writes(), second.metrics()["boardroom_operator_reconciles_total", "ok"]) == (0, 0)


def test_a_killed_leader_is_followed_within_20_seconds(launch: Launch, lease: Callable[[], str], kube: KubeApi) -> None:
    first, second = launch("first"), launch("second")
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    deployments = {d["metadata"]["name"]: d["metadata"]["generation"] for d in kube.every("Deployment")}
    first.kill()
    kube.delete("Service", "executive-coordinator")
    until("the Service is back", lambda: kube.get("Service", "executive-coordinator"), TAKEN_OVER_SECONDS)
    assert lease() == "second"
    assert second.leads()
    assert {d["metadata"]["name"]: d["metadata"]["generation"] for d in kube.every("Deployment")} == deployments


def test_a_leader_that_ends_in_order_hands_over_at_once(launch: Launch, lease: Callable[[], str]) -> None:
    first, second = launch("first"), launch("second")
    assert first.stop() == 0
    assert "released the lease" in first.log.read_text()
    until("the other leads", second.leads)
    assert lease() == "second"


def test_a_paused_leader_that_comes_back_writes_nothing_and_ends(
    launch: Launch, lease: Callable[[], str], kube: KubeApi
) -> None:
    # They would build different Services: whatever the first wrote would show.
    first, second = launch("first", AOS_LORAX_PORT="7001"), launch("second", AOS_LORAX_PORT="7002")
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    assert first.process is not None

    def port() -> int:
        return int(kube.live("Service", "executive-lorax")["spec"]["ports"][0]["port"])

    assert port() == 7001
    first.process.send_signal(signal.SIGSTOP)
    until("the other has written", lambda: port() == 7002, TAKEN_OVER_SECONDS)
    until("the board says so", lambda: _effective_port(kube) == 7002)
    until(
        "its new pod is there", lambda: kube.condition("Boardroom", "executive", "LoraxReady")["reason"] == "Starting"
    )
    until("it is still", lambda: _still(second))
    before = _versions(kube)
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(60) == 1
    assert "ending, another leads" in first.log.read_text() or "has acquired the Lease" in first.log.read_text()
    assert _versions(kube) == before
    assert lease() == "second"


def _effective_port(kube: KubeApi) -> int:
    return int(kube.live("Boardroom", "executive")["status"]["lorax"]["effective"]["port"])


def _still(process: OperatorProcess) -> bool:
    """Whether nothing but the Lease was written for a few resyncs."""
    before, seen = _board_writes(process), process.reconciles()
    until("more reconciles", lambda: process.reconciles() > seen + 4)
    return _board_writes(process) == before


def _board_writes(process: OperatorProcess) -> float:
    found = process.metrics().items()
    name = "boardroom_operator_api_requests_total"
    return sum(v for k, v in found if k[0] == name and k[2] != "Lease" and k[3] not in ("GET", "LIST"))


def _versions(kube: KubeApi) -> dict[str, str]:
    return {
        f"{kind}/{o['metadata']['name']}": o["metadata"]["resourceVersion"]
        for kind in ("Deployment", "Service", "Role", "Boardroom", "Event")
        for o in kube.every(kind)
    }
