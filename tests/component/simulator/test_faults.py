"""Faults of a simulator that is a process of its own."""

from pathlib import Path

import httpx
import pytest

from boardroom.adapters.synthetic import Shape, make
from component.simulator.process import Process

ASK = {"inputs": "Why?", "parameters": {"max_new_tokens": 3}}


def test_without_inspection_no_fault_can_be_injected() -> None:
    with Process("--inspect", "false") as server:
        assert httpx.post(f"{server.url()}/simulator/faults", json={"kind": "crash"}).status_code == 404


def test_a_crash_ends_the_process_in_a_forward_pass() -> None:
    with Process("--fault", "crash:after=2") as server:
        url = server.url()
        received: list[str] = []
        with (
            pytest.raises(httpx.TransportError),
            httpx.stream("POST", f"{url}/generate_stream", json={"inputs": "x"}, timeout=30) as stream,
        ):
            received += (line for line in stream.iter_lines() if line)
        assert server.process.wait(timeout=30) == 1


def test_a_dropped_stream_ends_without_its_end() -> None:
    lines: list[str] = []
    with Process("--fault", "drop:after=2", "--profile", "instant") as server:
        request = httpx.stream("POST", f"{server.url()}/generate_stream", json=ASK, timeout=30)
        with request as stream, pytest.raises(httpx.RemoteProtocolError):
            lines.extend(filter(None, stream.iter_lines()))
    assert len(lines) == 2


def test_a_dropped_answer_is_cut_in_the_middle() -> None:
    with Process("--fault", "drop", "--profile", "instant") as server, pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{server.url()}/generate", json=ASK, timeout=30)


def test_usage_tells_gpu_seconds_of_each_request_each_adapter_and_in_all(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape())
    adapter = f"{tmp_path}/ceo_lora_adapter"
    body = {"inputs": "x", "parameters": {"adapter_id": adapter, "max_new_tokens": 2}}
    with (
        Process("--adapter-source", "local", "--time-scale", "0") as server,
        httpx.Client(base_url=server.url(), timeout=30) as lorax,
    ):
        lorax.post("/generate", json=body, headers={"x-request-id": "q1"})
        lorax.post("/generate", json={"inputs": "x", "parameters": {"max_new_tokens": 1}})
        lorax.post("/generate", json={"inputs": "x", "parameters": {"adapter_id": "/models/nobody"}})
        usage = lorax.get("/simulator/usage").json()
        rest = lorax.get("/simulator/usage?since=2").json()
    charged = [request["gpu_seconds"] for request in usage["requests"]]
    first = {key: value for key, value in usage["requests"][0].items() if key not in {"gpu_seconds", "queue_seconds"}}
    assert first == {
        "number": 1,
        "request_id": "q1",
        "adapter_id": adapter,
        "prompt_tokens": 2,
        "generated_tokens": 2,
        "outcome": "ok",
    }
    assert [request["outcome"] for request in usage["requests"]] == ["ok", "ok", "failed"]
    assert (usage["by_adapter"], charged[2], usage["gpu_seconds"]) == (
        {adapter: charged[0], "": charged[1]},
        0.0,
        pytest.approx(sum(charged)),
    )
    assert [request["number"] for request in rest["requests"]] == [3]


@pytest.mark.parametrize("kind", ["latency", "error"])
def test_faults_are_an_environment_variable_too(kind: str) -> None:
    with Process(env={"SIMULATOR_FAULT": f"{kind}:seconds=0 latency:seconds=0"}) as server:
        assert len(httpx.get(f"{server.url()}/simulator/faults").json()) == 2
