"""A run of the real operator, and what it says of itself."""

import asyncio
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from bench.services import Service

_READ: Final = frozenset({"GET", "LIST"})
_VERBS: Final = {"GET": "gets", "APPLY": "applies", "APPLY_STATUS": "status_applies", "POST": "events"}


def bytecode(folder: Path) -> dict[str, str]:
    """The environment in which modules are compiled once, as they are in the operator's image."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def compiled(folder: Path) -> None:
    """Compile what the operator imports."""
    imports = "import uvloop, boardroom.cli.main, boardroom.controller.main, boardroom.telemetry.logs"
    subprocess.run([sys.executable, "-c", imports], env=os.environ | bytecode(folder), check=True)


@dataclass(frozen=True)
class Operator:
    """A running operator: `began` and `ready` are moments of the event loop's clock."""

    service: Service
    metrics: str
    began: float
    ready: float

    @property
    def cpu_seconds(self) -> float:
        return self.service.cpu_seconds()

    @property
    def peak_mib(self) -> float:
        """The most that was ever resident."""
        status = Path(f"/proc/{self.service.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    def writes(self) -> float:
        """Requests so far that could have changed something."""
        return sum(count for verb, count in self._requests().items() if verb not in _READ)

    def counts(self) -> dict[str, float]:
        """All that it has done so far, in numbers."""
        requests = self._requests()
        return {
            **{f"settled_{name}": requests[verb] for verb, name in _VERBS.items()},
            "settled_reconciles": self._total("reconciles"),
            "settled_watch_events": self._total("watch_events"),
        }

    async def looked(self, boards: int) -> None:
        """Wait until every board has been reconciled and the watches have delivered everything."""
        heard = -1.0
        while (
            heard != (now := await asyncio.to_thread(self._total, "watch_events"))
            or not now
            or (await asyncio.to_thread(self._total, "reconciles") < boards)
        ):
            heard = now
            await asyncio.sleep(5)

    def _total(self, name: str) -> float:
        return sum(value for _, value in self._samples(name))

    def _requests(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for labels, value in self._samples("api_requests"):
            found[labels["verb"]] += int(value)
        return found

    def _samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        with urllib.request.urlopen(self.metrics, timeout=60) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        samples = (sample for family in families for sample in family.samples)
        return [(s.labels, s.value) for s in samples if s.name == f"boardroom_operator_{name}_total"]
