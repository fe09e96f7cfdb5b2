"""What a board costs, in requests and looks rather than seconds: these are the same on any machine."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.boards import agent, board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import OWNED_BY_KEYS, reason
from tools.waiting import until

BOARDS = ("north", "south", "west")
ROLES = ("CEO", "CFO", "CTO", "COO")
CHILDREN = {kind: len(names) for kind, names in OWNED_BY_KEYS.items() if names} | {"ServiceAccount": 1}
"""Of one board; the namespace's own ServiceAccount is not the board's."""
LOOKS = 12
"""At most, at a board that comes into being: its Deployments and pods are told of several times."""

SCHEMAS = {("GET", "Boardroom"): 1}
"""What the CRDs declare, read once at the start."""


@pytest.fixture
def operator(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """It looks when it is told to, and not from time to time; of this namespace only: others may be being deleted."""
    with OperatorProcess(operator_kubeconfig, tmp_path / "log", "--namespace", kube.namespace) as process:
        yield process


@pytest.fixture
def boards(kube: KubeApi, operator: OperatorProcess) -> OperatorProcess:
    """Boards that were there before the operator, which has made all of theirs."""
    for name in BOARDS:
        kube.create(board(name))
        for role in ROLES:
            kube.create(agent(role, name, name=f"{name}-{role.lower()}"))
    operator.start()
    until("every board was looked at", lambda: all(reason(kube, name) == "LoraxStarting" for name in BOARDS))
    settle(operator, kube)
    return operator


def settle(operator: OperatorProcess, kube: KubeApi) -> None:
    """Until nobody writes anything any more, the controller manager neither."""

    def state() -> tuple[object, ...]:
        kinds = ("Deployment", "Pod", "Boardroom", "BoardAgent")
        return (requests(operator), operator.reconciles(), *(versions(kube.every(kind)) for kind in kinds))

    def quiet() -> bool:
        before = state()
        time.sleep(2)
        return state() == before

    until("all is quiet", quiet)


def versions(objects: list[Object]) -> dict[str, str]:
    return {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in objects}


def requests(operator: OperatorProcess) -> Counter[tuple[str, str]]:
    """How many so far, by verb and kind; lists aside."""
    found: Counter[tuple[str, str]] = Counter()
    for (name, *labels), count in operator.metrics().items():
        if name == "boardroom_operator_api_requests_total" and labels[2] != "LIST":
            _, kind, verb = labels
            found[verb, kind] += int(count)
    return found


def test_a_board_costs_a_read_and_a_write_for_each_object_and_a_status_for_each_member(boards: OperatorProcess) -> None:
    found = requests(boards)
    statuses, events = found.pop(("APPLY_STATUS", "Boardroom")), found.pop(("POST", "Event"))
    assert found == {
        **SCHEMAS,
        **{("GET", kind): count * len(BOARDS) for kind, count in CHILDREN.items()},
        **{("APPLY", kind): count * len(BOARDS) for kind, count in CHILDREN.items()},
        ("APPLY_STATUS", "BoardAgent"): len(BOARDS) * len(ROLES),
    }
    looks = boards.reconciles()
    assert len(BOARDS) <= looks <= LOOKS * len(BOARDS)
    assert len(BOARDS) <= statuses <= looks
    assert events <= 2 * statuses


def test_a_changed_member_costs_one_write(boards: OperatorProcess, kube: KubeApi) -> None:
    before, looks = requests(boards), boards.reconciles()
    kube.patch("BoardAgent", "south-cfo", {"spec": {"systemPrompt": "Mind the money."}})
    until("its status is of the new spec", lambda: observed(kube, "south-cfo") == 2)
    settle(boards, kube)
    assert requests(boards) - before == {("APPLY_STATUS", "BoardAgent"): 1}
    # Once more where the watch tells of our own write before the API server has answered it.
    assert boards.reconciles() - looks <= 2


def test_an_operator_that_starts_over_boards_that_stand_looks_once_at_each(
    boards: OperatorProcess, kube: KubeApi
) -> None:
    boards.stop()
    boards.start()
    until("it has looked", lambda: boards.reconciles() >= len(BOARDS))
    settle(boards, kube)
    assert requests(boards) == SCHEMAS
    assert boards.reconciles() == len(BOARDS)


def observed(kube: KubeApi, name: str) -> int:
    return int(kube.live("BoardAgent", name).get("status", {}).get("observedGeneration", 0))
