"""What is known of LoRAX belongs to one life of it, in whatever order things happen."""

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.outcome import Outcome
from boardroom.engine.protocol import Generation
from boardroom.simulator.virtual import VirtualTimeLoop
from component.coordinator.mortal_lorax import BASE, MEMBERS, MortalLorax, Pair, pair

Event = tuple[Any, ...]

PAUSES = st.sampled_from([0.0, 0.002, 0.02, 0.1, 0.5, 1.0, 2.0, 5.5])
DOWN = st.sampled_from([0.02, 0.3, 2.0, 9.0])
EVENTS = st.one_of(
    st.tuples(st.just("end"), st.booleans(), DOWN),
    st.tuples(
        st.just("ask"),
        st.sampled_from(["leader", "follower"]),
        st.integers(0, len(MEMBERS) - 1),
        st.sampled_from([1, 8, 40, 80]),
    ),
    st.tuples(st.just("drop")),
    st.tuples(st.just("hang up")),
    st.tuples(st.just("slow health"), st.sampled_from([0.5, 11.0])),
    st.tuples(st.just("no metrics"), st.sampled_from([1.0, 6.0])),
    st.tuples(st.just("strangers"), st.integers(1, 200)),
    st.tuples(st.just("look")),
    st.tuples(st.just("change roster")),
)
STORIES = st.lists(st.tuples(EVENTS, PAUSES), min_size=3, max_size=25)


async def happens(  # noqa: C901 (a table of what may happen)
    event: Event, board: Pair, answers: list[asyncio.Task[Outcome]]
) -> None:
    lorax = board.lorax
    match event:
        case ("end", gracefully, down):
            await lorax.end(gracefully=gracefully, down=down)
        case ("ask", who, member, tokens):
            answers.append(asyncio.create_task(board.ask(who, MEMBERS[member], tokens)))
        case ("drop",):
            lorax.drop_next = True
        case ("hang up",):
            lorax.hang_up()
        case ("slow health", seconds):
            lorax.health_hangs = True
            await asyncio.sleep(seconds)
            lorax.health_hangs = False
        case ("no metrics", seconds):
            lorax.metrics_away = True
            await asyncio.sleep(seconds)
            lorax.metrics_away = False
        case ("strangers", requests) if lorax.process is not None:
            lorax.process.counted += requests
        case ("look",):
            for backend in board.leader.backends.values():
                backend.health_check.check_now()
        case ("change roster",):
            board.changes.notify()


async def told(story: Sequence[tuple[Event, float]], lorax: MortalLorax) -> list[Outcome]:
    """The outcomes of a story, and in the end of one question to everybody, when all is well again."""
    async with pair(lorax) as board:
        answers: list[asyncio.Task[Outcome]] = []
        events: set[asyncio.Task[None]] = set()
        await asyncio.sleep(4)
        for event, pause in story:
            events.add(asyncio.create_task(happens(event, board, answers)))
            await asyncio.sleep(pause)
        await asyncio.wait(events)
        async with asyncio.timeout(600):
            while not board.open():  # noqa: ASYNC110 (virtual time)
                await asyncio.sleep(0.5)
        last = [await board.ask(who, member, 8) for who in ("leader", "follower") for member in MEMBERS]
        assert [type(outcome.result) for outcome in last] == [Generation] * len(last)
        return [await task for task in answers] + last


def signatures(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.result.text for outcome in outcomes if isinstance(outcome.result, Generation)]


GRACEFULLY = [
    (("ask", "leader", 0, 40), 0.1),
    (("end", True, 0.3), 0.1),
    (("look",), 3.0),
    (("ask", "leader", 1, 8), 1.0),
]


@settings(max_examples=150, deadline=None)
@example(story=GRACEFULLY)
@example(story=[(("ask", "follower", 0, 40), 0.1), (("end", True, 0.02), 3.0), (("ask", "follower", 0, 8), 1.0)])
@given(story=STORIES)
def test_no_question_meets_an_adapter_that_this_process_has_not_answered_through(
    story: list[tuple[Event, float]],
) -> None:
    """Restarts, late answers, broken connections, looks, reports of followers, strangers: in any order."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        outcomes = runner.run(told(story, MortalLorax()))
    assert [signature for signature in signatures(outcomes) if signature == BASE] == []


def test_behind_a_proxy_an_answer_of_a_life_that_nobody_saw_begin_is_asked_again() -> None:
    """No connection of ours breaks, and only the counter of requests tells: it is below what has been answered."""
    story: list[tuple[Event, float]] = [(("end", True, 0.02), 0.1), (("ask", "leader", 0, 80), 0.5), (("look",), 1.0)]
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        outcomes = runner.run(told(story, MortalLorax(hangs_up=False)))
    assert [signature for signature in signatures(outcomes) if signature == BASE] == []


def test_without_the_gate_the_base_model_speaks_after_a_restart() -> None:
    """The counter-test: the double does show what the coordinator keeps its users from."""

    async def tried() -> list[str]:
        lorax = MortalLorax()
        async with pair(lorax) as board:
            await asyncio.sleep(4)
            lorax.clients[0].on_hangup = lambda: None
            await lorax.end(gracefully=True, down=0.02)
            with patch.object(Admission, "is_open_for", return_value=True):  # as if nothing had happened
                return signatures([await board.ask("leader", MEMBERS[0], 8)])

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(tried()) == [BASE]


def test_a_follower_sends_nothing_while_its_leader_does_not_know_which_process_is_there() -> None:
    """The follower has seen nothing break, and asks again and again: only the leader's word keeps its gate closed."""

    async def opened() -> tuple[bool, set[bool], bool]:
        lorax = MortalLorax()
        async with pair(lorax) as board:
            await asyncio.sleep(4)
            before = board.is_open("follower")
            lorax.health_hangs = True
            for backend in board.leader.backends.values():
                backend.health_check.suspect()
            await asyncio.sleep(0.1)  # until the follower has been told
            meanwhile = set()
            for _ in range(50):
                meanwhile.add(board.is_open("follower"))
                await asyncio.sleep(0.1)
            lorax.health_hangs = False
            await asyncio.sleep(20)  # the check that hangs has ended, and the next has settled the doubt
            return before, meanwhile, board.is_open("follower")

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(opened()) == (True, {False}, True)
