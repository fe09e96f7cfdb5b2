"""Two operators with Leases of their own and other defaults look at one namespace, on a real API server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from boardroom.api.meta import OPERATOR_ANNOTATION
from boardroom.cluster.controlplane import ControlPlane
from integration.boards import agent, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from integration.playing import OWNED_BY_KEYS, wait_built
from tools.waiting import until

Launch = Callable[[str, int], OperatorProcess]
ONE, OTHER = "boardroom-system", "kube-public"
"""Namespaces that every API server has, each with the Lease of one operator."""


@pytest.fixture
def launch(operator_kubeconfig: Path, apiserver: ControlPlane, kube: KubeApi, tmp_path: Path) -> Iterator[Launch]:
    """Start an operator of a Lease in that namespace, with that port as default of LoRAX."""
    with ExitStack() as stack:

        def start(namespace: str, port: int) -> OperatorProcess:
            env = {"POD_NAME": f"pod-of-{namespace}", "POD_NAMESPACE": namespace, "AOS_LORAX_PORT": str(port)}
            flags = ["--namespace", kube.namespace, "--resync-seconds", "1", "--takeover-seconds", "3"]
            process = OperatorProcess(operator_kubeconfig, tmp_path / f"{namespace}.log", *flags, env=env)
            stack.enter_context(process).start()
            return process

        yield start
    for namespace in (ONE, OTHER):
        with KubeApi(apiserver.kubeconfig, apiserver.server, namespace) as of:
            if of.get("Lease", "boardroom-operator"):
                of.delete("Lease", "boardroom-operator")


def test_one_operator_reconciles_a_board_and_the_other_keeps_off_until_it_is_gone(
    launch: Launch, kube: KubeApi
) -> None:
    first = launch(ONE, 7001)
    kube.create(board())
    kube.create(agent("CEO"))
    wait_built(kube, OWNED_BY_KEYS)
    until("the board is claimed", lambda: _operator(kube) == ONE)
    before = _generations(kube)
    second = launch(OTHER, 7002)
    until("it says so", lambda: _conflict(kube) == "ReconciledElsewhere")
    seen = second.reconciles()
    until("it looked again and again", lambda: second.reconciles() > seen + 4)
    assert _generations(kube) == before
    assert "ReconciledElsewhere" in {event["reason"] for event in kube.every("Event")}
    assert "keeps off board" in second.log.read_text()

    assert first.stop() == 0
    until("the other has it", lambda: _operator(kube) == OTHER, 60)
    until("it writes as it sees fit", lambda: _port(kube) == 7002)
    until("there is no conflict any more", lambda: _conflict(kube) is None)


def test_a_board_goes_to_the_operator_that_its_annotation_names(launch: Launch, kube: KubeApi) -> None:
    launch(ONE, 7001)
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    second = launch(OTHER, 7002)
    until("it says so", lambda: _conflict(kube) == "ReconciledElsewhere")
    kube.patch("Boardroom", "executive", {"metadata": {"annotations": {OPERATOR_ANNOTATION: OTHER}}})
    until("the other has it", lambda: _operator(kube) == OTHER)
    until("it writes as it sees fit", lambda: _port(kube) == 7002)
    until("there is no conflict", lambda: _conflict(kube) is None)
    before = _generations(kube)
    seen = second.reconciles()
    until("both looked again", lambda: second.reconciles() > seen + 4)
    assert _generations(kube) == before


def test_one_that_ends_in_order_says_no_more_that_it_keeps_off(launch: Launch, kube: KubeApi) -> None:
    launch(ONE, 7001)
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    second = launch(OTHER, 7002)
    until("it says so", lambda: _conflict(kube) == "ReconciledElsewhere")
    assert second.stop() == 0
    assert _conflict(kube) is None
    assert _operator(kube) == ONE


def _operator(kube: KubeApi) -> str | None:
    return kube.live("Boardroom", "executive").get("status", {}).get("operator")


def _conflict(kube: KubeApi) -> str | None:
    conditions = kube.live("Boardroom", "executive")["status"].get("conditions", ())
    return next((c["reason"] for c in conditions if c["type"] == "OperatorConflict"), None)


def _port(kube: KubeApi) -> int:
    return int(kube.live("Service", "executive-lorax")["spec"]["ports"][0]["port"])


def _generations(kube: KubeApi) -> dict[str, int]:
    return {d["metadata"]["name"]: d["metadata"]["generation"] for d in kube.every("Deployment")}
