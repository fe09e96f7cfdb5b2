"""A board with two LoRAX pods and two coordinators on real pods: one of each dies while questions are asked."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.board_on_pods import ROLES, BoardOnPods, board
from tools.waiting import until

pytestmark = pytest.mark.e2e

NAMES = sorted(role.lower() for role in ROLES)
TIMEOUT = 60.0


@pytest.fixture(scope="module")
def wide(new_board: Callable[[str], BoardOnPods]) -> BoardOnPods:
    made = new_board("wide-board")
    before = made.lorax_pod()
    spec = board(made, replicas=2)
    spec["spec"]["coordinator"] = {"replicas": 2}
    made.apply(spec)
    until(
        "two LoRAX pods and two coordinators", lambda: (ready(made, "lorax"), ready(made, "coordinator")) == (2, 2), 180
    )
    assert before[0] in {pod["metadata"]["uid"] for pod in made.pods("lorax")}, "one more pod restarted the first"
    return made


def ready(board_: BoardOnPods, component: str) -> int:
    statuses = [pod["status"].get("containerStatuses", ()) for pod in board_.pods(component)]
    return sum(bool(found) and all(s["ready"] for s in found) for found in statuses)


def leader(board_: BoardOnPods) -> str:
    """The name of the coordinator's pod that leads, "" while none of those that are there does."""
    lease = board_.get("lease", f"{board_.name}-coordinator")["spec"]["holderIdentity"]
    address = lease.rpartition("_")[0].rpartition(":")[0]
    names = {pod["status"].get("podIP"): pod["metadata"]["name"] for pod in board_.pods("coordinator")}
    return str(names.get(address, ""))


def follower(board_: BoardOnPods) -> str:
    leading = until("a coordinator leads", lambda: leader(board_))
    (name,) = {pod["metadata"]["name"] for pod in board_.pods("coordinator")} - {leading}
    return str(name)


@contextmanager
def asked_all_the_time(board_: BoardOnPods, pod: str) -> Iterator[list[dict[str, Any]]]:
    """Questions to that coordinator, one after another by four askers, until the context ends; their answers."""
    answers: list[dict[str, Any]] = []
    stop = threading.Event()
    with board_.coordinator(pod, timeout=TIMEOUT + 5) as client:

        def ask() -> None:
            while not stop.is_set():
                response = client.post("/v1/ask", json={"user_input": "And now?", "timeout": TIMEOUT})
                answers.append(response.json())
                time.sleep(0.2)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            yield answers
        finally:
            stop.set()
            for asker in askers:
                asker.join(TIMEOUT + 10)


def servers(answer: dict[str, Any]) -> set[str]:
    return {a["replica"] for a in answer.get("answers", ())}


def test_every_batch_is_whole_on_one_of_two_lorax_pods(wide: BoardOnPods) -> None:
    pods = {pod["metadata"]["name"] for pod in wide.pods("lorax")}
    with asked_all_the_time(wide, follower(wide)) as answers:
        until("both were asked", lambda: set().union(*map(servers, answers)) == pods)
    assert {len(servers(answer)) for answer in answers} == {1}
    until(
        "the status says so",
        lambda: wide.get("boardroom", wide.name)["status"]["lorax"]["replicas"] == {"desired": 2, "ready": 2},
    )
    until(
        "every adapter is proved on both",
        lambda: "on 2 of 2 servers" in wide.condition("AdapterReady", "boardagent", "cfo")["message"],
    )


def test_no_question_is_lost_when_a_lorax_pod_is_killed(wide: BoardOnPods) -> None:
    victim = wide.pods("lorax")[0]["metadata"]["name"]
    with asked_all_the_time(wide, follower(wide)) as answers:
        until("it was asked", lambda: any(victim in servers(answer) for answer in answers))
        wide.kubectl.run("delete", "pod", victim, "--grace-period=0", "--force")
        count = len(answers)
        until("questions went on", lambda: len(answers) > count + 12)
    assert [answer for answer in answers if answer.get("agents_involved") != NAMES] == []
    until("two LoRAX pods again", lambda: ready(wide, "lorax") == 2)
    wide.wait_ready()


@pytest.mark.parametrize("how", [[], ["--grace-period=0", "--force"]], ids=["deleted", "killed"])
def test_no_question_to_the_other_coordinator_is_lost_when_the_leader_goes(wide: BoardOnPods, how: list[str]) -> None:
    until("two coordinators", lambda: ready(wide, "coordinator") == 2)
    other, leading = follower(wide), leader(wide)
    with asked_all_the_time(wide, other) as answers:
        until("questions are answered", lambda: len(answers) > 4)
        wide.kubectl.run("delete", "pod", leading, *how)
        until("another coordinator leads", lambda: leader(wide) not in ("", leading))
        count = len(answers)
        until("questions went on", lambda: len(answers) > count + 8)
    assert [answer for answer in answers if answer.get("agents_involved") != NAMES] == []
