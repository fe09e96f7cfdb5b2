"""The coordinator as its own process under the Role that the operator makes for it, on a real API server.

LoRAX is the simulator and the adapters service is the real one, both as processes of their own.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from boardroom.adapters.make import Shape, make
from boardroom.cli.local import free_port
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.boards import MODEL, agent, board
from integration.kube_api import KubeApi, until
from integration.operator_process import OperatorProcess
from integration.playing import play_kubelet

BIN = Path(sys.executable).parent
ROLES = ("CEO", "CFO", "COO")
NAMES = sorted(role.lower() for role in ROLES)


class Process:
    """One program of ours, its output in a file."""

    def __init__(self, log: Path, *command: str, **env: str) -> None:
        self.command, self.log, self.env = command, log, os.environ | env
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(
                [BIN / self.command[0], *self.command[1:]], stdout=out, stderr=subprocess.STDOUT, env=self.env
            )

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return self.child.wait(timeout=40)


@dataclass
class Standing:
    """A board with its processes."""

    kube: KubeApi
    models: Path
    url: str
    probes: str
    lorax_url: str
    processes: dict[str, Process] = field(default_factory=dict)

    def ask(self, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/ask", json={"user_input": "And now?"} | body, timeout=60, trust_env=False)

    def adapter_ready(self, name: str) -> tuple[str, str]:
        condition = self.kube.condition("BoardAgent", name, "AdapterReady")
        return condition["status"], condition["reason"]

    def wait_proved(self, *names: str) -> None:
        proved = ("True", "AdapterProved")
        until(f"{names} are proved", lambda: all(self.adapter_ready(name) == proved for name in names))

    def lorax(self) -> dict[str, Any]:
        found: dict[str, Any] = self.kube.live("Boardroom", "executive").get("status", {}).get("lorax", {})
        return found

    def versions(self) -> dict[str, str]:
        objects = [*self.kube.every("Boardroom"), *self.kube.every("BoardAgent")]
        return {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in objects}


@pytest.fixture
def standing(apiserver: ControlPlane, operator: OperatorProcess, kube: KubeApi, tmp_path: Path) -> Iterator[Standing]:
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


@contextlib.contextmanager
def running(apiserver: ControlPlane, kube: KubeApi, models: Path, logs: Path) -> Iterator[Standing]:
    identity = Identity(
        name=f"coordinator-{kube.namespace}",
        common_name=f"system:serviceaccount:{kube.namespace}:executive-coordinator",
        organization="system:serviceaccounts",
    )
    lorax, adapters, api, metrics = (str(free_port()) for _ in range(4))
    host = ("--host", "127.0.0.1")
    stand = Standing(
        kube, models, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{metrics}", f"http://127.0.0.1:{lorax}"
    )
    start = {
        "lorax": ("lorax-launcher", "--model-id", MODEL, "--hostname", "127.0.0.1", "--port", lorax),
        "adapters": ("boardroom", "adapters", "serve", "--root", str(models), *host, "--port", adapters),
        "coordinator": (
            *("boardroom", "coordinator", "--board", "executive", "--namespace", kube.namespace),
            *("--lorax-url", stand.lorax_url, "--adapters-url", f"http://127.0.0.1:{adapters}"),
            *("--port", api, "--metrics-port", metrics),
        ),
    }
    kubeconfig = str(apiserver.write_kubeconfig(identity))
    try:
        for name, command in start.items():
            stand.processes[name] = Process(logs / f"{name}.log", *command, KUBECONFIG=kubeconfig)
        until("the coordinator is ready", lambda: ready(stand))
        yield stand
    finally:
        for process in stand.processes.values():
            process.child.kill()
            process.child.wait()


def ready(stand: Standing) -> bool:
    try:
        return httpx.get(f"{stand.probes}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_what_was_observed_stands_in_the_status(standing: Standing) -> None:
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


def test_members_come_and_go_and_a_missing_adapter_has_loraxs_cause(standing: Standing) -> None:
    standing.wait_proved(*NAMES)
    standing.kube.create(agent("CLO"))
    until("clo is refused", lambda: standing.adapter_ready("clo") == ("False", "AdapterMissing"))
    message = standing.kube.condition("BoardAgent", "clo", "AdapterReady")["message"]
    assert "No valid adapter config file found" in message
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


def test_nothing_is_written_while_nothing_moves(standing: Standing) -> None:
    standing.wait_proved(*NAMES)
    time.sleep(12)  # what was held back for its ten seconds
    before = standing.versions()
    time.sleep(15)
    assert standing.versions() == before


def test_a_lorax_that_dies_and_comes_back_is_proved_again(standing: Standing) -> None:
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


def test_a_new_coordinator_leaves_standing_what_is_still_true(standing: Standing) -> None:
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


def loaded(stand: Standing) -> int:
    health = httpx.get(f"{stand.url}/v1/health", trust_env=False).json()
    return int(health["system_health"]["lorax"]["loaded_adapters"])


def test_what_the_operator_says_of_a_coordinator_that_is_not_ready_is_taken_back(standing: Standing) -> None:
    def latency_high() -> tuple[str, str]:
        found = standing.kube.condition("Boardroom", "executive", "LatencyHigh")
        return found["status"], found["reason"]

    standing.wait_proved(*NAMES)
    until("it is measured", lambda: latency_high() == ("False", "NoTraffic"))
    play_kubelet(standing.kube, "coordinator", waiting={"reason": "CrashLoopBackOff"})
    until("the operator says that nobody measures it", lambda: latency_high() == ("Unknown", "CoordinatorNotReady"))
    play_kubelet(standing.kube, "coordinator")
    until("it is measured again", lambda: latency_high() == ("False", "NoTraffic"))


def test_high_latency_is_a_condition_and_one_event(standing: Standing) -> None:
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
