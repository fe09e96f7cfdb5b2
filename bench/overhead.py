"""What the coordinator adds to an upstream that answers at once, beside the same fan-out in Go, LiteLLM and nothing.

The measured service has a core of its own; load generator and upstream share the other. Rounds are interleaved, so that
what else the machine does meets all of them alike; medians are reported, with the lowest and the highest.
"""

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.services import Service, cores, go_programs, program, running
from boardroom.cli.processes import free_port

TOKENS = 64
MODEL = "bench/agent-0"
QUESTION = "Analyze Q2 performance and recommend a strategy"
FANOUTS = (1, 5, 15)
IN_FLIGHT = (1, 32, 256)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured."""

    fanouts: Sequence[int] = FANOUTS
    in_flight: Sequence[int] = IN_FLIGHT
    rounds: int = 3
    seconds: float = 3.0


QUICK = Effort(fanouts=(5,), in_flight=(1, 32), rounds=2, seconds=1.5)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One service, and how it is asked."""

    name: str
    service: Service
    path: str
    body: dict[str, Any]
    first: str = ""


def measure(effort: Effort, litellm: Path | None) -> dict[str, Any]:
    """All rows; `litellm` is its program, or None to leave it out."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lab = Lab(Path(folder), stack)
        rows = [row for members in effort.fanouts for row in _fan_out(lab, members, effort)]
        rows += _single(lab, effort, litellm)
    return {"tokens": TOKENS, "seconds": effort.seconds, "rounds": effort.rounds, "rows": rows}


def soak(seconds: float) -> dict[str, Any]:
    """Memory of the coordinator while 256 questions are in flight: a sample each twentieth of the time."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lab = Lab(Path(folder), stack)
        asked = _ask("coordinator", stack.enter_context(lab.coordinator(5)), stream=False)
        samples = []
        for _ in range(20):
            found = lab.load(asked, 256, seconds / 20)
            samples.append(round(asked.service.rss_mib(), 1))
            if found["failed"]:
                raise RuntimeError(f"questions failed: {found['failures']}")
    return {"in_flight": 256, "members": 5, "seconds": seconds, "rss_mib": samples}


class Lab:
    """The upstream, and what is put in front of it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._programs = go_programs()
        self.measured, self.around = cores()
        self.upstream = stack.enter_context(self._go("upstream", self.around, "-tokens", str(TOKENS)))

    def load(self, asked: Asked, in_flight: int, seconds: float) -> dict[str, Any]:
        """Ask for so long, so many at once; what the load generator saw."""
        command = [
            "taskset", "--cpu-list", str(self.around), str(self._programs / "load"),
            "-url", asked.service.url + asked.path, "-body", json.dumps(asked.body),
            "-in-flight", str(in_flight), "-for", f"{seconds}s", "-first", asked.first,
        ]  # fmt: skip
        found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return found

    @contextmanager
    def coordinator(self, members: int) -> Iterator[Service]:
        """Ours as it runs in a pod, with all that a service needs: validation, deadlines, metrics, logs."""
        file = self.folder / f"board-{members}.yaml"
        file.write_text(yaml.safe_dump_all(_board(members)))
        port, metrics = free_port(), free_port()
        command = [
            program("boardroom"), "coordinator", "--file", str(file), "--lorax-url", self.upstream.url,
            "--adapters-root", "/models", "--port", str(port), "--metrics-port", str(metrics),
            "--max-in-flight", "1024",
        ]  # fmt: skip
        log = self.folder / "coordinator.log"
        with running(command, core=self.measured, port=port, log=log) as service:
            asked = _ask("coordinator", service, stream=False)
            _until_answered(lambda: self.load(asked, 1, 0.2))
            yield service

    def fanout(self, members: int) -> Any:
        """The yardstick in Go."""
        return self._go("fanout", self.measured, "-upstream", self.upstream.url, "-members", str(members))

    @contextmanager
    def litellm(self, executable: Path) -> Iterator[Service]:
        """LiteLLM's proxy with one model, one worker and no callbacks."""
        config = self.folder / "litellm.yaml"
        model = {"model": "openai/agent-0", "api_base": f"{self.upstream.url}/v1", "api_key": "none"}
        config.write_text(yaml.safe_dump({"model_list": [{"model_name": MODEL, "litellm_params": model}]}))
        port = free_port()
        command = [str(executable), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        with running(
            command,
            core=self.measured,
            port=port,
            log=self.folder / "litellm.log",
            ready="/health/liveliness",
            # It would ask the network for prices.
            environment={
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_LOG": "ERROR",
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            },
        ) as service:
            yield service

    def _go(self, name: str, core: int, *arguments: str) -> Any:
        port = free_port()
        command = [str(self._programs / name), "-address", f"127.0.0.1:{port}", *arguments]
        return running(command, core=core, port=port, log=self.folder / f"{name}.log")


def _fan_out(lab: Lab, members: int, effort: Effort) -> list[dict[str, Any]]:
    """Coordinator and Go in turn, plain and streaming."""
    with lab.coordinator(members) as ours, lab.fanout(members) as go:
        rows = []
        for stream in (False, True):
            asked = [_ask("coordinator", ours, stream=stream), _ask("go", go, stream=stream)]
            direct = _chat("upstream alone", lab.upstream, stream=stream)
            for in_flight in effort.in_flight:
                rows += _compared(lab, [*asked, direct], in_flight, effort, members=members, stream=stream)
        return rows


def _single(lab: Lab, effort: Effort, litellm: Path | None) -> list[dict[str, Any]]:
    """One agent over OpenAI's route: the coordinator, LiteLLM, and the upstream alone."""
    with ExitStack() as stack:
        ours = stack.enter_context(lab.coordinator(1))
        asked = [_chat("coordinator", ours), _chat("upstream alone", lab.upstream)]
        if litellm is not None:
            asked.append(_chat("litellm", stack.enter_context(lab.litellm(litellm))))
        return [
            row | {"route": "/v1/chat/completions"}
            for in_flight in effort.in_flight
            for row in _compared(lab, asked, in_flight, effort, members=1, stream=False)
        ]


def _compared(
    lab: Lab, asked: Sequence[Asked], in_flight: int, effort: Effort, *, members: int, stream: bool
) -> list[dict[str, Any]]:
    """The same load on each, in interleaved rounds."""
    for one in asked:
        lab.load(one, in_flight, 0.3)
    rounds: dict[str, list[dict[str, float]]] = {one.name: [] for one in asked}
    for _ in range(effort.rounds):
        for one in asked:
            before = one.service.cpu_seconds()
            found = lab.load(one, in_flight, effort.seconds)
            spent = one.service.cpu_seconds() - before
            if found["failed"] or not found["requests"]:
                raise RuntimeError(f"{one.name}: {found['failures']}")
            rounds[one.name].append(
                {
                    "per_second": found["per_second"],
                    "cpu_ms": 1000 * spent / found["requests"],
                    "p50_ms": found["p50_ms"],
                    "p99_ms": found["p99_ms"],
                    "first_ms": found["first_p50_ms"],
                    "rss_mib": one.service.rss_mib(),
                }
            )
    return [
        {"service": name, "route": "/v1/ask", "members": members, "in_flight": in_flight, "stream": stream}
        | {key: _spread([r[key] for r in found]) for key in found[0]}
        for name, found in rounds.items()
    ]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 4), "low": round(min(values), 4), "high": round(max(values), 4)}


def _ask(name: str, service: Service, *, stream: bool) -> Asked:
    body: dict[str, Any] = {"user_input": QUESTION} | ({"stream": True} if stream else {})
    return Asked(name=name, service=service, path="/v1/ask", body=body, first="member.delta" if stream else "")


def _chat(name: str, service: Service, *, stream: bool = False) -> Asked:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": TOKENS,
        "stream": stream,
    }
    return Asked(
        name=name, service=service, path="/v1/chat/completions", body=body, first='"content"' if stream else ""
    )


def _board(members: int) -> list[dict[str, Any]]:
    head = {"apiVersion": "boardroom.dev/v1alpha1"}
    spec = {"model": {"id": "base"}, "maxMembers": max(15, members)}
    agents = [
        head | {
            "kind": "BoardAgent",
            "metadata": {"name": f"agent-{index}"},
            "spec": {
                "boardroomRef": {"name": "bench"},
                "role": f"Agent{index}",
                "systemPrompt": "You sit on the board. Speak for your role.",
                "generation": {"maxNewTokens": TOKENS},
            },
        }
        for index in range(members)
    ]  # fmt: skip
    return [head | {"kind": "Boardroom", "metadata": {"name": "bench"}, "spec": spec}, *agents]


def _until_answered(ask: Callable[[], dict[str, Any]]) -> None:
    """The first answers wait until the adapters are proved."""
    for _ in range(100):
        if not ask()["failed"]:
            return
    raise RuntimeError("the coordinator does not answer")
