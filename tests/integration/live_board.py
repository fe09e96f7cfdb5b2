"""A coordinator as its own process, under the Role that the operator makes for it; its LoRAX is the simulator and its
adapters service the real one, both as processes of their own.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from boardroom.cli.processes import free_port
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.boards import MODEL
from integration.kube_api import KubeApi
from tools.waiting import until

BIN = Path(sys.executable).parent


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
class LiveBoard:
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

    def status_writes(self) -> float:
        """How often the coordinator has written a status."""
        page = httpx.get(f"{self.probes}/metrics", trust_env=False).raise_for_status().text
        samples = (s for family in text_string_to_metric_families(page) for s in family.samples)
        return sum(s.value for s in samples if s.name == "boardroom_status_writes_total")

    def versions(self) -> dict[str, str]:
        objects = [*self.kube.every("Boardroom"), *self.kube.every("BoardAgent")]
        return {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in objects}


@contextlib.contextmanager
def running(apiserver: ControlPlane, kube: KubeApi, models: Path, logs: Path) -> Iterator[LiveBoard]:
    identity = Identity(
        name=f"coordinator-{kube.namespace}",
        common_name=f"system:serviceaccount:{kube.namespace}:executive-coordinator",
        organization="system:serviceaccounts",
    )
    lorax, adapters, api, metrics = (str(free_port()) for _ in range(4))
    host = ("--host", "127.0.0.1")
    stand = LiveBoard(
        kube, models, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{metrics}", f"http://127.0.0.1:{lorax}"
    )
    store = logs / "store"
    store.mkdir()
    start = {
        "lorax": ("lorax-launcher", "--model-id", MODEL, "--hostname", "127.0.0.1", "--port", lorax),
        "adapters": (
            *("boardroom", "adapters", "serve", "--root", str(models), "--store", str(store)),
            *(*host, "--port", adapters),
        ),
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


def ready(stand: LiveBoard) -> bool:
    try:
        return httpx.get(f"{stand.probes}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False
