"""The gate to LoRAX by itself: who waits for what, and what ends the waiting."""

import asyncio

import pytest

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends import admission
from boardroom.coordinator.backends.adapter_failures import FIRST_RETRY_SECONDS
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError, GenerationFailed, Starting, Unhealthy

CEO, CFO = "/models/ceo", "/models/cfo"
MISSING = AdapterFailed(AdapterFault.MISSING, "No valid adapter config file found")


class Gate:
    """An admission with its registry, and a LoRAX that is what `trouble` says."""

    def __init__(self) -> None:
        self.trouble: EngineError | None = None
        self.now = 0.0
        self.registry = AdapterRegistry(lambda: self.now, self._changed)
        self.admission = Admission(self.registry, outage=lambda: self.trouble)
        self.registry.keep([None, CEO, CFO])

    def _changed(self) -> None:
        self.admission.wake()

    async def asks(self, path: str | None) -> asyncio.Task[EngineError | None]:
        """Ask for admission; returns when the gate has decided or holds."""
        task = asyncio.create_task(self.admission.admit(path))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_a_request_to_an_adapter_that_has_answered_leaves_at_once(gate: Gate) -> None:
    gate.registry.record_answer(CEO, 0, gate.registry.target(CEO))
    assert (await gate.asks(CEO)).done()


async def test_a_request_to_a_cold_adapter_is_held_until_a_probe_got_an_answer(gate: Gate) -> None:
    asked = await gate.asks(CEO)
    before = asked.done()
    gate.registry.record_answer(CEO, 300, gate.registry.target(CEO))
    assert (before, await asked) == (False, None)


async def test_a_request_to_a_loaded_adapter_is_held_while_a_wave_is_under_way(gate: Gate) -> None:
    gate.registry.record_answer(CEO, 0, gate.registry.target(CEO))
    async with gate.admission.wave():
        asked = await gate.asks(CEO)
        before = asked.done()
    assert (before, await asked) == (False, None)


async def test_a_load_that_fails_ends_the_waiting_with_its_cause_after_the_wave(gate: Gate) -> None:
    async with gate.admission.wave():
        asked = await gate.asks(CEO)
        gate.registry.record_failure(CEO, MISSING, gate.registry.target(CEO))
        await asyncio.sleep(0)
        before = asked.done()
    assert (before, await asked) == (False, MISSING)


async def test_another_adapters_failure_does_not_end_the_waiting(gate: Gate) -> None:
    async with gate.admission.wave():
        asked = await gate.asks(CEO)
        gate.registry.record_failure(CFO, MISSING, gate.registry.target(CFO))
        gate.registry.record_answer(CEO, 300, gate.registry.target(CEO))
    assert await asked is None


async def test_files_that_lorax_gets_silently_wrong_end_the_waiting(gate: Gate) -> None:
    asked = await gate.asks(CEO)
    gate.registry.update_files(
        {CEO: AdapterFiles(problem="UnsupportedFeature", message="use_dora is set"), CFO: AdapterFiles()}
    )
    assert str(await asked) == "use_dora is set"


@pytest.mark.parametrize("trouble", [Starting("LoRAX is starting"), Unhealthy("unhealthy")])
async def test_nobody_waits_for_a_load_by_a_lorax_that_is_not_there(gate: Gate, trouble: EngineError) -> None:
    asked = await gate.asks(CEO)
    gate.trouble = trouble
    gate.admission.wake()
    assert await asked is trouble


async def test_a_lorax_in_trouble_is_waited_for_while_a_wave_is_under_way(gate: Gate) -> None:
    """/health waits behind a load, so a slow load looks like trouble."""
    gate.trouble = Unhealthy("no answer")
    async with gate.admission.wave():
        asked = await gate.asks(CEO)
        before = asked.done()
        gate.registry.record_answer(CEO, 9000, gate.registry.target(CEO))
    assert (before, await asked) == (False, None)


async def test_the_base_model_is_one_more_adapter_that_a_wave_loads(gate: Gate) -> None:
    asked = await gate.asks(None)
    before = asked.done(), None in gate.registry.unverified()
    gate.registry.record_answer(None, 0, gate.registry.target(None))
    assert (before, await asked, None in gate.registry.unverified()) == ((False, True), None, False)


async def test_a_base_model_that_fails_is_its_members_failure_and_is_due_again_after_a_back_off(gate: Gate) -> None:
    failure = GenerationFailed("CUDA out of memory")
    asked = await gate.asks(None)
    gate.registry.record_failure(None, failure, gate.registry.target(None))
    at_once = None in gate.registry.unverified()
    gate.now += FIRST_RETRY_SECONDS
    assert (await asked, at_once, None in gate.registry.unverified()) == (failure, False, True)


async def test_after_a_restart_nothing_is_loaded(gate: Gate) -> None:
    gate.registry.record_answer(CEO, 0, gate.registry.target(CEO))
    gate.registry.record_answer(None, 0, gate.registry.target(None))
    gate.registry.restarted()
    assert (gate.admission.is_open_for(CEO), gate.admission.is_open_for(None), gate.registry.unverified()) == (
        False,
        False,
        [None, CEO, CFO],
    )


async def test_a_wave_that_breaks_opens_the_gate_again(gate: Gate) -> None:
    gate.registry.record_answer(CEO, 0, gate.registry.target(CEO))
    with pytest.raises(RuntimeError):
        async with gate.admission.wave():
            raise RuntimeError
    assert gate.admission.is_open_for(CEO)


@pytest.mark.parametrize(("in_lorax", "waits"), [(True, True), (False, False)])
async def test_a_wave_begins_when_what_left_just_before_has_arrived(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, in_lorax: bool, waits: bool
) -> None:
    """LoRAX acknowledges nothing: a probe that overtakes a question may evict the adapter that the question is for."""
    monkeypatch.setattr(admission, "AIR_SECONDS", 0.2)
    loop = asyncio.get_running_loop()
    gate.admission.request_sent()
    if not in_lorax:
        gate.admission.request_done()
    left = loop.time()
    async with gate.admission.wave():
        began = loop.time()
    assert (began - left >= 0.19) is waits
