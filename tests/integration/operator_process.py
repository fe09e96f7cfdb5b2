"""The real operator as a process, under the identity and the rights that manifests/base gives it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tools.waiting import until

IMAGE = "registry.example/boardroom-operator:1.2.3"


class OperatorProcess:
    """`boardroom operator`; `start` returns once it is ready. It ends with the block."""

    def __init__(self, kubeconfig: Path, log: Path, *flags: str, env: dict[str, str] | None = None) -> None:
        self.kubeconfig = kubeconfig
        self.log = log
        self.flags = flags
        self.env = env or {}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()

    def start(self) -> None:
        self.launch()
        until("the operator is ready", self.ready)

    def launch(self) -> None:
        program = Path(sys.executable).parent / "boardroom"
        command = [str(program), "operator", "--kubeconfig", str(self.kubeconfig)]
        command += ["--metrics-port", "0", "--health-port", "0", *self.flags]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AOS_", "KUBE", "POD_"))}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, env=kept | {"BOARDROOM_IMAGE": IMAGE} | self.env
            )

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def url(self, what: str) -> str | None:
        for line in self.log.read_text().splitlines():
            message = json.loads(line)["message"] if line.startswith("{") else ""
            if message.startswith(f"serving {what} on "):
                return message.removeprefix(f"serving {what} on ")
        return None

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Values by (name, label values...)."""
        page = httpx.get(f"{self.url('metrics')}/metrics").raise_for_status().text
        samples = (s for family in text_string_to_metric_families(page) for s in family.samples)
        return {(s.name, *s.labels.values()): s.value for s in samples}

    def reconciles(self) -> float:
        return self.metrics()["boardroom_operator_reconciles_total", "ok"]

    def writes(self) -> float:
        """Requests so far that could have changed something."""
        found = self.metrics().items()
        return sum(
            v for k, v in found if k[0] == "boardroom_operator_api_requests_total" and k[3] not in ("GET", "LIST")
        )

    def leads(self) -> bool:
        """Whether it says that it leads."""
        return self.metrics()[("boardroom_operator_leader",)] == 1

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the operator ended: {self.log.read_text()[-2000:]}"
        url = self.url("probes")
        try:
            return url is not None and httpx.get(f"{url}/readyz").status_code == 200
        except httpx.HTTPError:
            return False
