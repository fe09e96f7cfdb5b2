"""What happens to a board when parts of it die, change or go."""

import threading
import time

import httpx
import pytest

from e2e.board_on_pods import ROLES, BoardOnPods, board
from tools.waiting import until

pytestmark = pytest.mark.e2e

ASKERS = 4
TIMEOUT = 20.0


def test_every_question_ends_with_every_member_named_when_lorax_is_killed(executive: BoardOnPods) -> None:
    """The pod dies in the middle of asking; nobody waits beyond the deadline, and the board recovers by itself."""
    outcomes: list[tuple[float, httpx.Response]] = []
    stop = threading.Event()

    with executive.coordinator() as client:

        def ask_until_stopped() -> None:
            while not stop.is_set():
                began = time.monotonic()
                response = client.post("/v1/ask", json={"user_input": "And now?", "timeout": TIMEOUT})
                outcomes.append((time.monotonic() - began, response))
                time.sleep(0.2)

        askers = [threading.Thread(target=ask_until_stopped) for _ in range(ASKERS)]
        for asker in askers:
            asker.start()
        time.sleep(2)
        (pod,) = executive.pods("lorax")
        executive.kubectl.run("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
        time.sleep(5)
        stop.set()
        for asker in askers:
            asker.join(TIMEOUT + 10)
    assert [asker.is_alive() for asker in askers] == [False] * ASKERS
    assert len(outcomes) > ASKERS
    for seconds, response in outcomes:
        assert seconds < TIMEOUT + 5
        if response.status_code == 200:
            assert {a["role"] for a in response.json()["answers"]} == set(ROLES)
        else:
            assert response.status_code == 503
            error = response.json()["error"]
            assert {m["role"] for m in error["members"]} == set(ROLES)
            assert all(m["reason"] for m in error["members"])
    executive.wait_ready()
    until("all five answer again", lambda: len(executive.ask().json().get("agents_involved", [])) == 5)


def operator_pod(board_: BoardOnPods) -> dict[str, str]:
    found = board_.kubectl.run(
        "get", "pods", "--namespace=boardroom-system", "-l", "app.kubernetes.io/component=operator",
        "--field-selector=status.phase=Running",
        "-o", "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].ready}\n{end}",
    )  # fmt: skip
    return {uid: name for name, uid, ready in (line.split() for line in found.splitlines()) if ready == "true"}


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_a_board_answers_without_the_operator_and_is_reconciled_by_the_next(executive: BoardOnPods, how: str) -> None:
    before, lorax = operator_pod(executive), executive.lorax_pod()
    if how == "restarted":
        executive.kubectl.run("rollout", "restart", "deployment/boardroom-operator", "--namespace=boardroom-system")
    else:
        holder = "jsonpath={.spec.holderIdentity}"
        lease = executive.kubectl.run("get", "lease/boardroom-operator", "--namespace=boardroom-system", "-o", holder)
        name = lease.strip().rsplit("_", 1)[0]
        executive.kubectl.run("delete", "pod", name, "--namespace=boardroom-system", "--grace-period=0", "--force")
    executive.kubectl.run("delete", "service", f"{executive.name}-coordinator", "--wait=true")
    until("a new operator is ready", lambda: operator_pod(executive).keys() - before.keys())
    until("the deleted Service is back", lambda: f"service/{executive.name}-coordinator" in executive.names("services"))
    executive.wait_ready()
    assert len(executive.ask().json()["agents_involved"]) == 5
    assert executive.lorax_pod() == lorax


def test_a_coordinator_whose_account_was_deleted_is_replaced_and_answers(executive: BoardOnPods) -> None:
    """Its token died with the account, and the kubelet would keep it for most of an hour."""
    (before,), lorax = executive.pods("coordinator"), executive.lorax_pod()
    executive.kubectl.run("delete", "serviceaccount", f"{executive.name}-coordinator")
    until("another pod is there alone", lambda: before["metadata"]["uid"] not in coordinators(executive))
    executive.wait_ready()
    until("all five answer again", lambda: len(executive.ask().json().get("agents_involved", [])) == 5)
    assert (len(coordinators(executive)), executive.lorax_pod()) == (1, lorax)


def coordinators(board_: BoardOnPods) -> set[str]:
    return {pod["metadata"]["uid"] for pod in board_.pods("coordinator")}


def test_a_changed_boardroom_is_rolled_out_and_ready_again(executive: BoardOnPods) -> None:
    before = executive.lorax_pod()
    executive.apply(board(executive, gpu={"count": 2}, adapterCacheSize=7))
    executive.wait_ready()
    (pod,) = executive.pods("lorax")
    container = next(c for c in pod["spec"]["containers"] if c["name"] == "lorax")
    assert executive.lorax_pod()[0] != before[0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert container["args"][container["args"].index("--max-active-adapters") + 1] == "7"
    assert executive.get("boardroom", executive.name)["status"]["lorax"]["effective"]["adapterCacheSize"] == 7
    until("all five answer again", lambda: len(executive.ask().json().get("agents_involved", [])) == 5)


def test_more_gpus_than_there_are_is_said_with_the_remedy(executive: BoardOnPods) -> None:
    executive.apply(board(executive, gpu={"count": 16}))
    try:
        until("LoraxReady says so", lambda: "nvidia.com/gpu" in executive.condition("LoraxReady")["message"])
        assert executive.condition("LoraxReady")["status"] == "False"
    finally:
        executive.apply(board(executive))
    executive.wait_ready()


def test_what_a_coordinator_said_is_unknown_while_there_is_none(executive: BoardOnPods) -> None:
    def words() -> set[tuple[str, str]]:
        agents = [executive.condition("AdapterReady", "boardagent", role.lower()) for role in ROLES]
        return {(c["status"], c["reason"]) for c in (*agents, executive.condition("LatencyHigh"))}

    executive.wait_members("5/5")
    (pod,) = executive.pods("coordinator")
    executive.kubectl.run("cordon", pod["spec"]["nodeName"])  # its successor finds no place
    try:
        executive.kubectl.run("delete", "pod", pod["metadata"]["name"])
        until("nothing is known of the adapters", lambda: words() == {("Unknown", "CoordinatorNotReady")})
        status = executive.get("boardroom", executive.name)["status"]
        assert (status["agents"], "running" in status["lorax"]) == ("0/5", False)
        assert executive.condition("Ready")["status"] == "False"
        assert "no node takes" in executive.condition("CoordinatorReady")["message"]
    finally:
        executive.kubectl.run("uncordon", pod["spec"]["nodeName"])
    executive.wait_ready()
    executive.wait_members("5/5")
    until("LoRAX is known to run", lambda: executive.get("boardroom", executive.name)["status"]["lorax"].get("running"))
