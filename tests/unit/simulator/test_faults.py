"""Faults to order, by flag and at run time."""

import asyncio
import time
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from boardroom.simulator.errors import LoraxError
from boardroom.simulator.faults import Fault, FaultError, Faults, convert_fault, parse_fault
from boardroom.simulator.launcher.main import launcher
from boardroom.simulator.model_server.shard import CUDA_ERROR
from unit.simulator.simulation import Simulation, serving, simulate, waited

ASK = {"inputs": "Why?", "parameters": {"max_new_tokens": 3}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("crash", Fault(kind="crash")),
        ("latency:seconds=2.5,rate=0.1", Fault(kind="latency", seconds=2.5, rate=0.1)),
        ("error:error=overloaded,times=3", Fault(kind="error", error="overloaded", times=3)),
        (
            "failing-adapter:adapter=/models/c*,message=no disk",
            Fault(kind="failing-adapter", adapter="/models/c*", message="no disk"),
        ),
        ("latency:adapter=", Fault(kind="latency", adapter="")),
    ],
)
def test_a_flag_is_a_fault(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("boom", "Invalid enum value 'boom'"),
        ("latency:second=1", "unknown field `second`"),
        ("latency:rate=2", "Expected `float` <= 1.0"),
        ("drop:after=-1", "Expected `int` >= 0"),
        ("error:error=teapot", "Invalid enum value 'teapot'"),
    ],
)
def test_a_fault_that_can_not_be_read_is_refused_with_the_kinds_there_are(text: str, said: str) -> None:
    result = CliRunner().invoke(launcher, ["--fault", text])
    assert (result.exit_code, said in result.output, "kinds are latency, error" in result.output) == (1, True, True)


def faults(*given: dict[str, object]) -> Faults:
    return Faults(map(convert_fault, given), Random(1))


@pytest.mark.parametrize(
    ("pattern", "adapter_id", "triggers"),
    [
        (None, "", True),
        (None, "/a", True),
        ("/m/*", "/m/x", True),
        ("/m/*", "/n/x", False),
        ("", "/m/x", False),
        ("", "", True),
    ],
)
def test_a_fault_strikes_whom_its_pattern_names(pattern: str | None, adapter_id: str, triggers: bool) -> None:
    assert (faults({"kind": "latency", "adapter": pattern}).trigger("latency", (adapter_id,)) is not None) is triggers


def test_a_fault_strikes_as_often_as_it_says_and_is_gone() -> None:
    some = faults({"kind": "latency", "times": 2})
    assert [some.trigger("latency") is not None for _ in range(3)] == [True, True, False]
    assert list(some) == []


def test_a_rate_is_a_share() -> None:
    some = faults({"kind": "latency", "rate": 0.25})
    assert 200 < sum(some.trigger("latency") is not None for _ in range(1000)) < 300


def test_the_same_seed_goes_wrong_in_the_same_places() -> None:
    runs = [
        [some.trigger("latency") is None for _ in range(50)]
        for some in (faults({"kind": "latency", "rate": 0.5}), faults({"kind": "latency", "rate": 0.5}))
    ]
    assert runs[0] == runs[1]


async def test_faults_are_added_and_removed_at_run_time() -> None:
    async with serving() as lorax:
        made = await lorax.post("/simulator/faults", json={"kind": "error", "error": "overloaded"})
        await lorax.post("/simulator/faults", json={"kind": "latency", "seconds": 0})
        listed = (await lorax.get("/simulator/faults")).json()
        refused = (await lorax.post("/generate", json=ASK)).status_code
        one = (await lorax.delete("/simulator/faults", params={"id": 1})).status_code
        served = (await lorax.post("/generate", json=ASK)).status_code
        again = (await lorax.delete("/simulator/faults", params={"id": 1})).status_code
        everything = (await lorax.delete("/simulator/faults")).status_code
        left = (await lorax.get("/simulator/faults")).json()
    assert (made.status_code, made.json()) == (201, {"kind": "error", "error": "overloaded", "id": 1})
    assert [fault["kind"] for fault in listed] == ["error", "latency"]
    assert (refused, one, served, again, everything, left) == (429, 204, 200, 404, 204, [])


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"kind": "boom"}', b'{"kind": "drop", "x": 1}'])
async def test_a_fault_that_is_none_is_refused_at_run_time(content: bytes) -> None:
    async with serving() as lorax:
        assert (await lorax.post("/simulator/faults", content=content)).status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (
            "generation",
            424,
            {"error": f"Request failed during generation: Server error: {CUDA_ERROR}", "error_type": "generation"},
        ),
        (
            "batch",
            424,
            {"error": f"Request failed during generation: Server error: {CUDA_ERROR}", "error_type": "generation"},
        ),
        ("overloaded", 429, {"error": "Model is overloaded", "error_type": "overloaded"}),
        ("validation", 422, {"error": "Input validation error: `inputs` cannot be empty", "error_type": "validation"}),
        ("incomplete", 500, {"error": "Incomplete generation", "error_type": "incomplete_generation"}),
    ],
)
async def test_an_error_is_answered_as_lorax_would(error: str, status: int, expected: dict[str, str]) -> None:
    fault = {"kind": "error", "error": error}
    async with serving(faults=(fault,)) as lorax:
        whole = await lorax.post("/generate", json=ASK)
        stream = await lorax.post("/generate_stream", json=ASK)
    assert (whole.status_code, whole.json()) == (status, expected)
    assert (stream.status_code, expected["error"] in stream.text) == (200, True)


async def test_an_unhealthy_server_says_so() -> None:
    async with serving(faults=({"kind": "error", "error": "unhealthy"},)) as lorax:
        response = await lorax.get("/health")
    assert (response.status_code, response.json()) == (503, {"error": "unhealthy", "error_type": "healthcheck"})


async def test_errors_are_counted_as_lorax_counts_them() -> None:
    async with serving(faults=({"kind": "error", "error": "batch"},)) as lorax:
        await lorax.post("/generate", json=ASK)
        page = (await lorax.get("/metrics")).text
    assert 'lorax_batch_inference_failure{method="prefill"} 1' in page
    assert 'lorax_request_failure{err="generation"} 1' in page


async def test_latency_comes_before_everything_else() -> None:
    async with serving(faults=({"kind": "latency", "seconds": 0.2},)) as lorax:
        response = await lorax.post("/generate", json=ASK)
    assert (int(response.headers["x-total-time"]) >= 200, int(response.headers["x-queue-time"]) < 100) == (True, True)


def test_a_slow_adapter_is_waited_for_in_the_queue(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[float, float]:
        return waited(await simulation.ask("ceo")), waited(await simulation.ask("cfo"))

    slow, quick = simulate(
        tmp_path, story, ("ceo", "cfo"), faults=({"kind": "slow-adapter", "adapter": "*/ceo*", "seconds": 7},)
    )
    assert (slow > 7, quick < 1) == (True, True)


def test_a_failing_adapter_fails_with_its_message_and_works_when_the_fault_is_gone(tmp_path: Path) -> None:
    fault = {"kind": "failing-adapter", "adapter": "*/ceo*", "message": "Connection timed out", "times": 1}

    async def story(simulation: Simulation) -> list[LoraxError | None]:
        return [(await simulation.ask(name)).error for name in ("ceo", "cfo", "ceo")]

    failed, other, again = simulate(tmp_path, story, ("ceo", "cfo"), faults=(fault,))
    assert str(failed) == "Request failed during generation: Server error: Connection timed out"
    assert (other, again) == (None, None)


def test_a_hang_stops_everything_for_its_time(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[int, int]:
        clock, started = simulation.engine.clock, simulation.engine.clock.now()
        answer = asyncio.create_task(simulation.ask(""))
        await asyncio.sleep(1)
        await simulation.engine.shard.health()
        health = clock.now() - started
        await answer
        return round(health), round(clock.now() - started)

    assert simulate(tmp_path, story, faults=({"kind": "hang", "seconds": 30},)) == (30, 30)


def test_a_hang_without_time_ends_when_it_is_removed(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[bool, LoraxError | None]:
        answer = asyncio.create_task(simulation.ask(""))
        await asyncio.sleep(500)
        stuck = not answer.done()
        simulation.engine.faults.remove()
        return stuck, (await answer).error

    assert simulate(tmp_path, story, faults=({"kind": "hang"},)) == (True, None)


async def test_a_slow_stream_pauses_in_the_middle_of_each_event() -> None:
    async with serving(faults=({"kind": "slow-stream", "seconds": 0.05},)) as lorax:
        started = time.monotonic()
        response = await lorax.post("/generate_stream", json=ASK)
        took = time.monotonic() - started
    assert (response.text.count("data: "), took >= 0.15) == (3, True)


def test_an_error_fault_is_no_fault_for_others() -> None:
    some = faults({"kind": "error", "error": "overloaded"})
    assert (some.trigger("error", error="generation"), some.remove(7)) == (None, False)


def test_what_is_not_said_is_a_second() -> None:
    assert parse_fault("latency").pause == 1.0


def test_a_fault_error_names_the_kinds() -> None:
    with pytest.raises(FaultError, match="slow-stream, drop"):
        parse_fault("x")
