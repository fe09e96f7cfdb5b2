"""lorax-launcher as a process: its start, its port and its end."""

import signal
import time

import httpx

from component.simulator.process import Process


def until_refused(url: str) -> None:
    """Returns once nobody listens there any more."""
    while True:
        try:
            httpx.get(f"{url}/health", timeout=30)
        except httpx.ConnectError:
            return
        except httpx.TransportError:  # it was in the listener's queue when that was closed
            continue
        time.sleep(0.02)


def test_a_process_says_what_it_is_then_opens_its_port_and_drains_at_the_end() -> None:
    with Process("--startup-seconds", "0.2") as server:
        lines = server.lines_until("listening on")
        assert "This is a simulated LoRAX: no GPU" in lines[0]
        url = lines[-1].split("listening on ")[1].strip()
        with httpx.Client(base_url=url, timeout=30) as client:
            body = {"inputs": "x", "parameters": {"max_new_tokens": 100, "ignore_eos_token": True}}
            with client.stream("POST", "/generate_stream", json=body) as stream:
                received = stream.iter_lines()
                next(received)
                server.process.send_signal(signal.SIGTERM)
                until_refused(url)
                rest = [line for line in received if line]
        assert len(rest) == 99
        assert server.process.wait(timeout=30) == 0


def test_a_process_that_is_still_starting_ends_at_once() -> None:
    with Process("--startup-seconds", "600") as server:
        server.lines_until("simulated LoRAX")
        server.process.terminate()
        assert server.process.wait(timeout=30) in {0, -signal.SIGTERM}


def test_a_preloaded_adapter_that_is_missing_ends_the_process_with_the_cause() -> None:
    with Process("--preloaded-adapter-ids", "/models/nobody", "--adapter-source", "local") as server:
        assert "No valid adapter config file found" in server.lines_until("preloaded adapter")[-1]
        assert server.process.wait(timeout=30) == 1
