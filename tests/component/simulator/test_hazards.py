"""Hazards that end LoRAX's process (docs/lorax.md), in the simulator's; each test begins with a hazard's name."""

import contextlib
import signal
from typing import Any

import httpx
import pytest

from component.simulator.process import Process


def _generate(url: str, *, stream: bool = False, **parameters: object) -> httpx.Response:
    path = "/generate_stream" if stream else "/generate"
    return httpx.post(
        f"{url}{path}", json={"inputs": "x", "parameters": {"max_new_tokens": 1, **parameters}}, timeout=30
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"stream": True, "adapter_id": "/models/a\nb"},
        {"stream": True, "adapter_id": "/models/a", "adapter_source": "local\n"},
        {"merged_adapters": {"ids": ["/models/a"], "weights": [1], "merge_strategy": "best"}},
    ],
)
def test_malformed_id_abort_one_request_ends_the_whole_process(parameters: dict[str, Any]) -> None:
    with Process("--adapter-source", "local") as server:
        url = server.url()
        with pytest.raises(httpx.TransportError):
            _generate(url, **parameters)
        assert server.process.wait(timeout=30) == 1
        server.lines_until("Webserver Crashed")


def test_disconnect_abort_a_client_that_leaves_while_its_adapters_download_fails_ends_the_process() -> None:
    slow = "slow-adapter:adapter=/models/nobody,seconds=1"
    with Process("--adapter-source", "local", "--fault", slow) as server:
        url = server.url()
        body = {"inputs": "x", "parameters": {"adapter_id": "/models/nobody"}}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/generate", json=body, timeout=0.3)
        assert server.process.wait(timeout=30) == 1


def test_disconnect_abort_every_request_in_flight_is_lost() -> None:
    with Process("--adapter-source", "local") as server:
        url = server.url()
        body = {"inputs": "x", "parameters": {"max_new_tokens": 1000, "ignore_eos_token": True}}
        with httpx.stream("POST", f"{url}/generate_stream", json=body, timeout=30) as other:
            events = other.iter_lines()
            next(events)
            with contextlib.suppress(httpx.TransportError):
                _generate(url, stream=True, adapter_id="a\nb")
            with pytest.raises(httpx.TransportError):
                list(events)


def test_disconnect_abort_can_be_switched_off() -> None:
    with Process("--adapter-source", "local", "--abort-bugs", "false") as server:
        url = server.url()
        refused = _generate(url, stream=True, adapter_id="/models/a\nb")
        assert (refused.status_code, "No valid adapter config" in refused.text) == (200, True)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0


EMAIL = {"type": "object", "properties": {"when": {"type": "string", "format": "email"}}, "required": ["when"]}


def formatted(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_object", "schema": schema}}


def test_everybody_in_flight_is_lost_with_the_process() -> None:
    with Process("--adapter-source", "local") as server:
        url = server.url()
        body = {"inputs": "x", "parameters": {"max_new_tokens": 1000, "ignore_eos_token": True}}
        with httpx.stream("POST", f"{url}/generate_stream", json=body, timeout=30) as other:
            events = other.iter_lines()
            next(events)
            spoilt = {"inputs": "x", "parameters": {"max_new_tokens": 9, **formatted(EMAIL)}}
            with contextlib.suppress(httpx.TransportError):
                httpx.post(f"{url}/generate", json=spoilt, timeout=30)
            with pytest.raises(httpx.TransportError):
                list(events)
        assert server.process.wait(timeout=30) == 1
