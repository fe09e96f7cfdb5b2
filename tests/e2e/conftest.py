"""Fixtures of the tests on real pods: a node of their own, the operator once, the executive board shared, further
boards on demand.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster.kind import why_no_docker
from e2e.board_on_pods import ROLES, ROOT, BoardOnPods, adapters_claim, board, member
from tools.waiting import until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        # The first test waits for every program of a cluster to be built.
        if item.path.is_relative_to(here) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def boardroom() -> str:
    """The `boardroom` command of this environment."""
    return str(Path(sys.executable).parent / "boardroom")


@pytest.fixture(scope="session")
def cluster(boardroom: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """A cluster of the tests' own with our image in it, by kind or a native node, beside whatever the developer runs.

    The commands find it as theirs through XDG_STATE_HOME.
    """
    if os.geteuid() != 0 and (why := why_no_docker()):
        pytest.skip(f"a native node needs root, and kind needs Docker: {why}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        print("starting a Kubernetes node (the first time its programs are built, about 10 minutes)", file=sys.stderr)
        try:
            for command in ("up", "load"):
                subprocess.run([boardroom, "cluster", command], check=True)
            program, kubeconfig = (
                subprocess.run([boardroom, "cluster", *words], check=True, text=True, stdout=subprocess.PIPE).stdout
                for words in (("bin", "kubectl"), ("kubeconfig",))
            )
            yield Kubectl(program=program.strip(), kubeconfig=kubeconfig.strip())
        finally:
            subprocess.run([boardroom, "cluster", "down"], check=True)


@pytest.fixture(scope="session")
def operator(cluster: Kubectl) -> BoardOnPods:
    """The operator from manifests/, running; as the cluster-wide view of it."""
    cluster.run("apply", "--server-side", "-k", str(ROOT / "manifests/demo"))
    cluster.run("-n", "boardroom-system", "rollout", "status", "deployment/boardroom-operator", "--timeout=120s")
    return BoardOnPods(kubectl=Kubectl(program=cluster.program, kubeconfig=cluster.kubeconfig, namespace="default"))


@pytest.fixture(scope="session")
def new_board(operator: BoardOnPods) -> Iterator[Callable[[str], BoardOnPods]]:
    """Makes a Ready board of five in a namespace of its own; all are removed in the end."""
    made: list[BoardOnPods] = []
    kube = operator.kubectl

    def make(namespace: str) -> BoardOnPods:
        board_ = BoardOnPods(Kubectl(program=kube.program, kubeconfig=kube.kubeconfig, namespace=namespace))
        made.append(board_)
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        board_.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        board_.apply(*adapters_claim(ROLES))
        board_.kubectl.run("wait", "job/fill-board-adapters", "--for=condition=Complete", "--timeout=120s")
        board_.apply(board(board_), *(member(board_, role) for role in ROLES))
        board_.wait_ready()
        board_.wait_members("5/5")
        return board_

    yield make
    for board_ in made:
        # The board first: a namespace with terminating pods is looked at again only after half their grace period.
        board_.kubectl.run("delete", "boardagents,boardrooms", "--all", "--cascade=foreground")
        board_.kubectl.run("delete", "namespace", board_.namespace, "--ignore-not-found", "--timeout=120s")


@pytest.fixture(scope="session")
def shared_board(new_board: Callable[[str], BoardOnPods]) -> BoardOnPods:
    return new_board("first-board")


@pytest.fixture
def executive(shared_board: BoardOnPods) -> BoardOnPods:
    """The shared board, Ready with all five, whatever the test before did to it."""
    shared_board.wait_ready()
    shared_board.wait_members("5/5")
    until("it has one LoRAX pod", lambda: len(shared_board.pods("lorax")) == 1)
    return shared_board
