"""Which adapters were active together where LoRAX has little memory, and what that says of an answer."""

import asyncio

import pytest

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.active_adapters import ActiveWindow, largest_overlap, overlap
from boardroom.coordinator.backends.adapter_failures import no_memory
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.lorax_route import LoraxRoute
from boardroom.coordinator.backends.quarantine import LossTracker, Quarantine
from boardroom.coordinator.backends.waiting_tasks import WaitingTasks
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.protocol import Generation, GenerationRequest

A, B, C = "/models/a", "/models/b", "/models/c"


def window(queue: float, inference: float, *, late: float = 0.0) -> ActiveWindow:
    """All leave at once."""
    said = Generation(
        text="x",
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        queue_ms=1000 * queue,
        inference_ms=1000 * inference,
    )
    return ActiveWindow.of(said, sent=10.0, ended=10.0 + queue + inference + late)


@pytest.mark.parametrize(
    ("windows", "all_", "most"),
    [
        ({}, True, set()),
        ({A: window(0, 2), B: window(0.5, 2)}, True, {A, B}),
        ({A: window(0, 2), B: window(0, 2), C: window(2, 2)}, False, {A, B}),
        # this process was late to see A end, and C began where it ended
        ({A: window(0, 2, late=0.1), B: window(0, 2), C: window(2, 2)}, False, {A, B}),
        # it was so late that nothing is known for certain
        ({A: window(0, 2), B: window(0, 2, late=3)}, False, {A, B}),
    ],
)
def test_who_spoke_at_once(windows: dict[str | None, ActiveWindow], all_: bool, most: set[str | None]) -> None:
    assert (overlap(windows.values()), set(largest_overlap(windows))) == (all_, most)


def test_where_lorax_does_not_say_how_long_a_probe_waited_nobody_is_found_to_have_waited() -> None:
    said = Generation(text="x", finish_reason="stop", prompt_tokens=1, completion_tokens=1)
    assert ActiveWindow.of(said, sent=10.0, ended=15.0) == ActiveWindow(10.0, 15.0, (10.0, 15.0))


def test_what_is_too_much_is_seldom_tried_again_and_at_once_when_there_is_less() -> None:
    registry = AdapterRegistry(lambda: 1000.0)
    registry.keep([A, B])
    registry.record_failure(A, no_memory(A, 1), registry.target(A))
    waits = registry[A].retry_at - 1000
    registry.keep([A])
    assert (waits, registry.unverified()) == (300.0, [A])


class Lorax:
    """Answers a question when `during` has happened."""

    def __init__(self) -> None:
        self.during = asyncio.Event()
        self.asked = asyncio.Event()

    async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
        self.asked.set()
        await self.during.wait()
        return Generation(text="Grow.", finish_reason="stop", prompt_tokens=1, completion_tokens=1)


class Asking:
    """One question on its way to an adapter that has answered."""

    def __init__(self) -> None:
        self.registry = AdapterRegistry(lambda: 0.0)
        self.registry.keep([A])
        self.registry.update_files({A: AdapterFiles(digest="sha256:1")})
        self.registry.record_answer(A, None, self.registry.target(A))
        self.admission = Admission(self.registry, outage=lambda: None)
        self.lorax = Lorax()
        self.route = LoraxRoute(
            "lorax",
            self.lorax,  # type: ignore[arg-type]  # all of the protocol that is called here
            registry=self.registry,
            admission=self.admission,
            metrics=Metrics(),
            held=WaitingTasks(),
            losses=LossTracker(Quarantine()),
        )
        request = GenerationRequest(request_id="r", system="", prompt="?", adapter_id=A, max_new_tokens=4)
        member = Member(name="a", role="A", adapter="a", adapter_id=A)
        deadline = asyncio.get_running_loop().time() + 60
        self.task = asyncio.create_task(
            self.route.generate(member, request, deadline, asyncio.Lock(), stream=None, elsewhere=lambda: None)
        )

    async def outcome(self) -> tuple[str | None, str]:
        """The answer's digest and why it has none."""
        self.lorax.during.set()
        outcome = await self.task
        return outcome.adapter.digest if outcome.adapter else None, outcome.no_digest_reason


async def test_an_answer_during_which_its_adapter_may_have_been_taken_away_is_not_called_its_own() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.admission.waves_begun += 1
    digest, why = await asking.outcome()
    assert (digest, why[:24]) == (None, "may have left the GPU wh")


async def test_a_wave_waits_for_the_answers_that_are_being_given() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()

    async def wave() -> bool:
        async with asking.admission.wave():
            return asking.task.done()

    waving = asyncio.create_task(wave())
    await asyncio.sleep(0)
    assert (await asking.outcome(), await waving) == (("sha256:1", ""), True)


async def test_an_answer_of_a_life_that_was_seen_to_end_has_the_weights_of_that_life() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.registry.restarted()
    assert await asking.outcome() == ("sha256:1", "")


async def test_an_answer_that_may_be_of_the_next_life_is_asked_again_once_that_has_loaded_the_adapter() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.registry.restarted(seen=False)
    asking.lorax.asked.clear()
    asking.lorax.during.set()
    await asyncio.sleep(0.01)
    before = asking.lorax.asked.is_set()
    asking.registry.record_answer(A, None, asking.registry.target(A))
    asking.admission.wake()
    assert (before, await asking.outcome(), asking.lorax.asked.is_set()) == (False, ("sha256:1", ""), True)


async def test_files_that_change_while_an_answer_is_given_leave_it_its_digest_for_lorax_does_not_read_them() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.registry.update_files({A: AdapterFiles(digest="sha256:2")})
    assert await asking.outcome() == ("sha256:1", "")
