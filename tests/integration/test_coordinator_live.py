"""The coordinator as its own process under the Role that the operator makes for it, on a real API server.

LoRAX is the simulator and the adapters service is the real one, both as processes of their own.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from boardroom.adapters.synthetic import Shape, make
from boardroom.cluster.controlplane import ControlPlane
from integration.boards import MODEL, agent, board
from integration.kube_api import KubeApi
from integration.live_board import LiveBoard, ready, running
from integration.operator_process import OperatorProcess
from integration.playing import play_kubelet
from tools.waiting import until

ROLES = ("CEO", "CFO", "COO")
NAMES = sorted(role.lower() for role in ROLES)


@pytest.fixture
def standing(apiserver: ControlPlane, operator: OperatorProcess, kube: KubeApi, tmp_path: Path) -> Iterator[LiveBoard]:
    assert operator is not None
    models = tmp_path / "models"
    make(models, ROLES, Shape(base_model=MODEL))
    kube.create(board(adapters={"mountPath": str(models)}, lorax={"latencyWarningMs": 3_600_000}))
    for role in ROLES:
        kube.create(agent(role, generation={"maxNewTokens": 16}))
    until("the coordinator's RoleBinding", lambda: kube.get("RoleBinding", "executive-coordinator"))
    play_kubelet(kube, "coordinator")  # its process runs beside the pod
    with running(apiserver, kube, models, tmp_path) as found:
        yield found


def test_what_was_observed_stands_in_the_status(standing: LiveBoard) -> None:
    standing.wait_proved(*NAMES)
    answer = standing.ask().raise_for_status().json()
    until("the question is counted", lambda: (standing.lorax().get("metrics") or {}).get("averageLatencyMs"), 30)
    assert answer["agents_involved"] == NAMES
    lorax = standing.lorax()
    assert (lorax["running"], lorax["totalAdapters"], lorax["loadedAdapters"]) == (True, 3, 3)
    adapters = {name: standing.kube.live("BoardAgent", name)["status"]["adapter"] for name in NAMES}
    assert {name: a["digest"] for name, a in adapters.items()} == {
        a["agent"]: a["adapter"]["digest"] for a in answer["answers"]
    }
    assert {(a["source"], a["rank"], a["baseModel"]) for a in adapters.values()} == {("Volume", 8, MODEL)}
    assert adapters["ceo"]["path"] == str(standing.models / "ceo_lora_adapter")
    assert standing.kube.condition("Boardroom", "executive", "LatencyHigh")["status"] == "False"


def test_members_come_and_go_and_a_missing_adapter_has_its_cause(standing: LiveBoard) -> None:
    standing.wait_proved(*NAMES)
    standing.kube.create(agent("CLO"))
    until("clo is refused", lambda: standing.adapter_ready("clo") == ("False", "AdapterMissing"))
    message = standing.kube.condition("BoardAgent", "clo", "AdapterReady")["message"]
    assert "clo_lora_adapter: no such directory on the adapters volume" in message
    answer = standing.ask().json()
    assert [(a["agent"], a["status"]) for a in answer["answers"]] == [
        ("ceo", "answered"),
        ("cfo", "answered"),
        ("clo", "absent"),
        ("coo", "answered"),
    ]
    make(standing.models, ["CLO"], Shape(base_model=MODEL))
    standing.wait_proved("clo")
    standing.kube.delete("BoardAgent", "cfo")
    until("cfo is gone", lambda: standing.ask().json()["agents_involved"] == ["ceo", "clo", "coo"])


def test_nothing_is_written_while_nothing_moves(standing: LiveBoard) -> None:
    standing.wait_proved(*NAMES)
    time.sleep(12)  # what was held back for its ten seconds
    before = standing.versions()
    time.sleep(15)
    assert standing.versions() == before


def test_a_lorax_that_dies_and_comes_back_is_proved_again(standing: LiveBoard) -> None:
    standing.wait_proved(*NAMES)
    standing.processes["lorax"].stop(signal.SIGKILL)
    until("LoRAX is down", lambda: standing.lorax().get("running") is False)
    until("nothing is proved", lambda: {standing.adapter_ready(n) for n in NAMES} == {("Unknown", "NotProved")})
    response = standing.ask()
    assert response.status_code == 503
    assert [m["agent"] for m in response.json()["error"]["members"]] == NAMES
    standing.processes["lorax"].start()
    standing.wait_proved(*NAMES)
    until("LoRAX is up", lambda: standing.lorax().get("loadedAdapters") == 3)


def test_a_new_coordinator_leaves_standing_what_is_still_true(standing: LiveBoard) -> None:
    standing.wait_proved(*NAMES)
    time.sleep(12)
    before = {name: standing.kube.live("BoardAgent", name)["metadata"]["resourceVersion"] for name in NAMES}
    assert standing.processes["coordinator"].stop() == 0
    standing.processes["coordinator"].start()
    until("the new coordinator is ready", lambda: ready(standing))
    until("it has proved them", lambda: loaded(standing) == 3)
    time.sleep(5)
    after = {name: standing.kube.live("BoardAgent", name)["metadata"]["resourceVersion"] for name in NAMES}
    assert after == before


def test_the_word_of_a_coordinator_that_is_gone_is_unknown_until_it_is_back(standing: LiveBoard) -> None:
    kube, process = standing.kube, standing.processes["coordinator"]
    standing.wait_proved(*NAMES)
    until("LoRAX's state is told", lambda: standing.lorax().get("loadedAdapters") == 3)
    files = {name: kube.live("BoardAgent", name)["status"]["adapter"] for name in NAMES}
    process.child.send_signal(signal.SIGSTOP)
    ended = {"exitCode": 137, "reason": "Error", "startedAt": None, "finishedAt": None}
    play_kubelet(kube, "coordinator", terminated=ended)
    gone = {("Unknown", "CoordinatorNotReady")}
    until("no adapter is proved", lambda: {standing.adapter_ready(name) for name in NAMES} == gone, 40)
    latency = kube.condition("Boardroom", "executive", "LatencyHigh")
    assert (latency["status"], latency["reason"]) == ("Unknown", "CoordinatorNotReady")
    assert standing.lorax().keys() <= {"effective", "replicas"}
    assert {name: kube.live("BoardAgent", name)["status"]["adapter"] for name in NAMES} == files
    until("it settles", lambda: settled(standing))
    process.child.send_signal(signal.SIGCONT)
    play_kubelet(kube, "coordinator")
    standing.wait_proved(*NAMES)
    until("LoRAX's state is told again", lambda: standing.lorax().get("loadedAdapters") == 3)
    until("its members are ready", lambda: kube.condition("BoardAgent", "ceo", "Ready")["status"] == "True")


def settled(stand: LiveBoard) -> bool:
    """Whether nothing was written while the operator looked several times."""
    before = stand.versions()
    time.sleep(3)
    return stand.versions() == before


def loaded(stand: LiveBoard) -> int:
    health = httpx.get(f"{stand.url}/v1/health", trust_env=False).json()
    return int(health["system_health"]["lorax"]["loaded_adapters"])


def test_high_latency_is_a_condition_and_one_event(standing: LiveBoard) -> None:
    standing.wait_proved(*NAMES)
    patch = {"spec": {"lorax": {"latencyWarningMs": 1}}}
    standing.kube.patch("Boardroom", "executive", patch)
    standing.ask().raise_for_status()

    def high() -> bool:
        return standing.kube.condition("Boardroom", "executive", "LatencyHigh")["status"] == "True"

    until("LatencyHigh", high)
    standing.ask().raise_for_status()
    time.sleep(12)
    events = [e for e in standing.kube.every("Event") if e["reason"] == "HighLatency"]
    assert [(e["type"], e["regarding"]["name"]) for e in events] == [("Warning", "executive")]
