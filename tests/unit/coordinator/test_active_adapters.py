"""Which adapters were active together where LoRAX has little memory, and what that says of an answer."""

import asyncio

import pytest

from boardroom.adapters.compatibility import AdapterFiles
from boardroom.coordinator.backends.active_adapters import Speech, most_at_once, together
from boardroom.coordinator.backends.adapter_failures import no_memory
from boardroom.coordinator.backends.adapter_state import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.held import Held
from boardroom.coordinator.backends.quarantine import Quarantine, Watch
from boardroom.coordinator.backends.routes import LoraxRoute
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.protocol import Generation, GenerationRequest

A, B, C = "/models/a", "/models/b", "/models/c"


def speech(queue: float, inference: float, *, late: float = 0.0) -> Speech:
    """All leave at once."""
    said = Generation(
        text="x",
        finish_reason="stop",
        prompt_tokens=1,
        completion_tokens=1,
        queue_ms=1000 * queue,
        inference_ms=1000 * inference,
    )
    return Speech.of(said, left=10.0, ended=10.0 + queue + inference + late)


@pytest.mark.parametrize(
    ("speeches", "all_", "most"),
    [
        ({}, True, set()),
        ({A: speech(0, 2), B: speech(0.5, 2)}, True, {A, B}),
        ({A: speech(0, 2), B: speech(0, 2), C: speech(2, 2)}, False, {A, B}),
        # this process was late to see A end, and C began where it ended
        ({A: speech(0, 2, late=0.1), B: speech(0, 2), C: speech(2, 2)}, False, {A, B}),
        # it was so late that nothing is known for certain
        ({A: speech(0, 2), B: speech(0, 2, late=3)}, False, {A, B}),
    ],
)
def test_who_spoke_at_once(speeches: dict[str | None, Speech], all_: bool, most: set[str | None]) -> None:
    assert (together(speeches.values()), set(most_at_once(speeches))) == (all_, most)


def test_where_lorax_does_not_say_how_long_a_probe_waited_nobody_is_found_to_have_waited() -> None:
    said = Generation(text="x", finish_reason="stop", prompt_tokens=1, completion_tokens=1)
    assert Speech.of(said, left=10.0, ended=15.0) == Speech(10.0, 15.0, (10.0, 15.0))


def test_what_is_too_much_is_seldom_tried_again_and_at_once_when_there_is_less() -> None:
    book = AdapterRegistry(lambda: 1000.0)
    book.keep([A, B])
    book.failed(A, no_memory(A, 1), book.asked(A))
    waits = book[A].retry_at - 1000
    book.keep([A])
    assert (waits, book.unproved()) == (300.0, [A])


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
        self.book = AdapterRegistry(lambda: 0.0)
        self.book.keep([A])
        self.book.found({A: AdapterFiles(digest="sha256:1")})
        self.book.answered(A, None, self.book.asked(A))
        self.admission = Admission(self.book, trouble=lambda: None, wave_please=lambda: None)
        self.lorax = Lorax()
        self.route = LoraxRoute(
            "lorax",
            self.lorax,  # type: ignore[arg-type]  # all of the protocol that is called here
            book=self.book,
            admission=self.admission,
            metrics=Metrics(),
            held=Held(),
            watch=Watch(Quarantine()),
        )
        request = GenerationRequest(request_id="r", system="", prompt="?", adapter_id=A, max_new_tokens=4)
        member = Member(name="a", role="A", adapter="a", adapter_id=A)
        deadline = asyncio.get_running_loop().time() + 60
        self.task = asyncio.create_task(
            self.route.ask(member, request, deadline, asyncio.Lock(), hearing=None, elsewhere=lambda: None)
        )

    async def outcome(self) -> tuple[str | None, str]:
        """The answer's digest and why it has none."""
        self.lorax.during.set()
        outcome = await self.task
        return outcome.adapter.digest if outcome.adapter else None, outcome.nameless


async def test_an_answer_during_which_its_adapter_may_have_been_taken_away_is_not_called_its_own() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.admission.risks += 1
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
    asking.book.restarted()
    assert await asking.outcome() == ("sha256:1", "")


async def test_an_answer_that_may_be_of_the_next_life_is_asked_again_once_that_has_loaded_the_adapter() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.book.restarted(seen=False)
    asking.lorax.asked.clear()
    asking.lorax.during.set()
    await asyncio.sleep(0.01)
    before = asking.lorax.asked.is_set()
    asking.book.answered(A, None, asking.book.asked(A))
    asking.admission.wake()
    assert (before, await asking.outcome(), asking.lorax.asked.is_set()) == (False, ("sha256:1", ""), True)


async def test_files_that_change_while_an_answer_is_given_leave_it_its_digest_for_lorax_does_not_read_them() -> None:
    asking = Asking()
    await asking.lorax.asked.wait()
    asking.book.found({A: AdapterFiles(digest="sha256:2")})
    assert await asking.outcome() == ("sha256:1", "")
