"""Two coordinators and two LoRAX servers of one board on a real API server: EndpointSlices watched live, one Lease.

Everything runs as processes of this machine, at an address that is not loopback: EndpointSlices take no other.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from boardroom.adapters.synthetic import Shape, make
from boardroom.cli.processes import free_port
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.boards import MODEL, agent, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from tools.waiting import until

BIN = Path(sys.executable).parent
ROLES = ("CEO", "CFO", "COO")
NAMES = sorted(role.lower() for role in ROLES)
COORDINATORS = ("first", "second")


def own_address() -> str:
    """An address of this machine that others could reach; nothing is sent to find it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.1", 9))
        address = str(probe.getsockname()[0])
        if not address.startswith("127."):
            return address
    pytest.skip("this machine has no address but loopback, and EndpointSlices don't take that")


@dataclass
class Standing:
    """The processes of one board."""

    kube: KubeApi
    models: Path
    logs: Path
    kubeconfig: str
    address: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        with (self.logs / f"{name}.log").open("ab") as out:
            env = os.environ | {"KUBECONFIG": self.kubeconfig}
            self.running[name] = subprocess.Popen(
                [BIN / command[0], *command[1:]], stdout=out, stderr=subprocess.STDOUT, env=env
            )

    def start_lorax(self, name: str) -> None:
        port = self.ports[name] = free_port(self.address)
        self.start(name, "lorax-launcher", "--model-id", MODEL, "--hostname", self.address, "--port", str(port))

    def start_coordinator(self, name: str) -> None:
        api = self.ports[name] = free_port(self.address)
        metrics = self.ports[f"{name} metrics"] = free_port(self.address)
        self.start(
            name,
            *("boardroom", "coordinator", "--board", "executive", "--namespace", self.kube.namespace),
            *("--lorax-service", "executive-lorax", "--address", self.address, "--host", self.address),
            *("--port", str(api), "--metrics-port", str(metrics)),
        )
        until(f"{name} is ready", lambda: self.answers(f"{name} metrics", "/readyz"))

    def answers(self, port: str, path: str) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{self.address}:{self.ports[port]}{path}", trust_env=False).is_success
        return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.running.pop(name)
        process.send_signal(number)
        process.wait(40)

    def ask(self, name: str, **body: Any) -> httpx.Response:
        url = f"http://{self.address}:{self.ports[name]}/v1/ask"
        return httpx.post(url, json={"user_input": "And now?"} | body, timeout=90, trust_env=False)

    def list_servers(self, *names: str) -> None:
        """Make the EndpointSlices say that these are LoRAX's pods, and no others."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.kube.namespace}/endpointslices"
        for name in ("lorax-a", "lorax-b"):
            target = {"kind": "Pod", "name": name, "uid": f"uid-{name}", "namespace": self.kube.namespace}
            endpoint = {"addresses": [self.address], "targetRef": target, "conditions": {"ready": True}}
            ports = [
                {"name": "lorax", "port": self.ports.get(name, 1), "protocol": "TCP"},
                {"name": "adapters", "port": self.ports["adapters"], "protocol": "TCP"},
            ]
            self._slice(path, name, "executive-lorax", [endpoint] if name in names else [], ports)
        self._slice(path, "coordinators", "executive-coordinator", [{"addresses": [self.address]}], [])

    def _slice(self, path: str, name: str, service: str, endpoints: list[Any], ports: list[Any]) -> None:
        obj = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports,
        }
        self.kube.apply(f"{path}/{name}", obj).raise_for_status()

    def loaded(self, name: str) -> int:
        health = httpx.get(f"http://{self.address}:{self.ports[name]}/v1/health", trust_env=False).json()
        return int(health["system_health"]["lorax"]["loaded_adapters"])

    def leader(self) -> str:
        """Which of them holds the Lease."""
        lease = self.kube.get("Lease", "executive-coordinator")
        holder = lease["spec"]["holderIdentity"].partition("_")[0] if lease else ""
        return next((n for n in COORDINATORS if holder == f"{self.address}:{self.ports.get(f'{n} metrics')}"), "")

    def proof(self, name: str) -> tuple[str, str]:
        condition = self.kube.condition("BoardAgent", name, "AdapterReady")
        return condition["status"], condition["message"].partition(", ")[2]


@pytest.fixture
def standing(apiserver: ControlPlane, operator: OperatorProcess, kube: KubeApi, tmp_path: Path) -> Iterator[Standing]:
    assert operator is not None
    address, models = own_address(), tmp_path / "models"
    make(models, ROLES, Shape(base_model=MODEL))
    kube.create(board(adapters={"mountPath": str(models)}, lorax={"latencyWarningMs": 3_600_000}))
    for role in ROLES:
        kube.create(agent(role, generation={"maxNewTokens": 16}))
    until("the coordinator's RoleBinding", lambda: kube.get("RoleBinding", "executive-coordinator"))
    identity = Identity(
        name=f"coordinators-{kube.namespace}",
        common_name=f"system:serviceaccount:{kube.namespace}:executive-coordinator",
        organization="system:serviceaccounts",
    )
    stand = Standing(kube, models, tmp_path, str(apiserver.write_kubeconfig(identity)), address)
    try:
        stand.ports["adapters"] = free_port(address)
        where = ("--host", address, "--port", str(stand.ports["adapters"]))
        stand.start("adapters", "boardroom", "adapters", "serve", "--root", str(models), *where)
        stand.start_lorax("lorax-a")
        stand.list_servers("lorax-a")
        for name in COORDINATORS:
            stand.start_coordinator(name)
        until("all know the adapters", lambda: {stand.loaded(name) for name in COORDINATORS} == {3})
        yield stand
    finally:
        for process in stand.running.values():
            process.kill()
            process.wait()


def test_servers_that_come_and_go_are_proved_asked_and_said(standing: Standing) -> None:
    until("proved on one", lambda: {standing.proof(n)[0] for n in NAMES} == {"True"})
    standing.start_lorax("lorax-b")
    standing.list_servers("lorax-a", "lorax-b")
    until("proved on both", lambda: {standing.proof(n) for n in NAMES} == {("True", "on 2 of 2 servers")})
    standing.list_servers("lorax-b")
    until("all ask the other", lambda: all(spoke(standing.ask(name)) == {"lorax-b"} for name in COORDINATORS))


def spoke(response: httpx.Response) -> set[str]:
    assert response.status_code == 200, response.text
    assert response.json()["agents_involved"] == NAMES
    return {a["replica"] for a in response.json()["answers"]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_another_coordinator_leads_when_the_leader_ends(standing: Standing, number: int) -> None:
    first = until("one leads", standing.leader)
    (second,) = set(COORDINATORS) - {first}
    standing.kill(first, number)
    answers = [standing.ask(second)]
    until(f"{second} leads", lambda: standing.leader() == second)
    answers.append(standing.ask(second))
    assert [spoke(answer) for answer in answers] == [{"lorax-a"}] * 2
    standing.kube.create(agent("CLO"))
    until(
        "the new leader writes status",
        lambda: standing.kube.condition("BoardAgent", "clo", "AdapterReady")["reason"] == "AdapterMissing",
    )


def test_only_the_leader_writes_status(standing: Standing) -> None:
    first = until("one leads", standing.leader)
    (second,) = set(COORDINATORS) - {first}
    until("all are proved", lambda: {standing.proof(n)[0] for n in NAMES} == {"True"})
    pages = {
        name: httpx.get(f"http://{standing.address}:{standing.ports[f'{name} metrics']}/metrics", trust_env=False).text
        for name in (first, second)
    }
    assert "boardroom_status_writes_total{" in pages[first]
    assert "boardroom_status_writes_total{" not in pages[second]
