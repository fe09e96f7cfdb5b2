"""A question that LoRAX did not survive is sent twice at most, and then rests."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from boardroom.coordinator.backends.quarantine import LONGEST_REST_SECONDS, LossTracker, Quarantine, fingerprints
from boardroom.engine.errors import ConnectionLost, GenerationFailed
from boardroom.engine.protocol import Generation, GenerationRequest

POISON = GenerationRequest(request_id="q.ceo", system="A", prompt="Why?", adapter_id="/models/ceo", max_new_tokens=9)
FINE = replace(POISON, prompt="How?")
SAID = Generation(text="So.", finish_reason="stop", prompt_tokens=1, completion_tokens=1)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def lost() -> Generation:
    raise ConnectionLost("gone")


async def failed() -> Generation:
    raise GenerationFailed("CUDA out of memory")


async def said() -> Generation:
    return SAID


async def outcome(watch: LossTracker, request: GenerationRequest, answer: Callable[[], Awaitable[Generation]]) -> str:
    refusal = watch.refusal(request)
    if refusal is not None:
        return refusal.code
    losses = watch.count
    try:
        text = (await answer()).text
    except (ConnectionLost, GenerationFailed) as error:
        if isinstance(error, ConnectionLost):
            watch.record_loss(request, losses)
        return error.code
    watch.clear(request)
    return text


async def test_after_the_second_loss_it_is_not_sent_until_it_has_rested_longer_each_time() -> None:
    time = Time()
    watch = LossTracker(Quarantine(time))
    rests = []
    for _ in range(9):
        began = time.now
        while await outcome(watch, POISON, lost) == "quarantined":
            time.now += 30
        rests.append(time.now - began)
    assert rests == [0, 0, 60, 120, 240, 480, 960, 1920, 3600]


async def test_what_was_answered_since_was_only_a_neighbour() -> None:
    watch = LossTracker(Quarantine(Time()))
    for _ in range(5):
        assert await outcome(watch, FINE, lost) == "connection_lost"
        assert await outcome(watch, FINE, said) == "So."


async def test_another_members_answer_does_not_clear_the_one_that_ends_it() -> None:
    watch = LossTracker(Quarantine(Time()))
    sound = replace(POISON, adapter_id="/models/cfo")
    for _ in range(2):
        assert await outcome(watch, POISON, lost) == "connection_lost"
        assert await outcome(watch, sound, said) == "So."
    assert await outcome(watch, POISON, lost) == "quarantined"


async def test_it_rests_for_every_member_and_every_server_and_no_other_question_does() -> None:
    quarantine = Quarantine(Time())
    for _ in range(2):
        await outcome(LossTracker(quarantine), POISON, lost)
    other_member = replace(POISON, system="B", adapter_id="/models/cfo", request_id="q.cfo")
    assert await outcome(LossTracker(quarantine), other_member, said) == "quarantined"
    assert await outcome(LossTracker(quarantine), FINE, said) == "So."
    assert await outcome(LossTracker(quarantine), replace(POISON, response_format={"type": "null"}), said) == "So."


async def test_a_whole_batch_that_is_lost_at_once_is_lost_once() -> None:
    watch = LossTracker(Quarantine(Time()))
    broken: asyncio.Event = asyncio.Event()

    async def until_it_breaks() -> Generation:
        await broken.wait()
        raise ConnectionLost("gone")

    batch = [asyncio.create_task(outcome(watch, POISON, until_it_breaks)) for _ in range(15)]
    await asyncio.sleep(0)
    broken.set()
    assert set(await asyncio.gather(*batch)) == {"connection_lost"}
    assert await outcome(watch, POISON, lost) == "connection_lost"
    assert await outcome(watch, POISON, lost) == "quarantined"


async def test_a_failed_forward_pass_is_no_loss() -> None:
    watch = LossTracker(Quarantine(Time()))
    assert [await outcome(watch, POISON, failed) for _ in range(3)] == ["generation"] * 3


async def test_what_was_lost_long_ago_begins_anew() -> None:
    time = Time()
    watch = LossTracker(Quarantine(time))
    await outcome(watch, POISON, lost)
    time.now += LONGEST_REST_SECONDS + 1
    await outcome(watch, POISON, lost)
    assert await outcome(watch, POISON, said) == "So."


def test_a_text_that_is_no_valid_unicode_has_a_fingerprint() -> None:
    assert fingerprints(replace(POISON, prompt="\ud800")) != fingerprints(POISON)
