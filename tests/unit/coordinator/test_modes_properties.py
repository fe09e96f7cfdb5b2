"""What holds in every mode, whoever answers, fails, or is asked: one entry each, in order, and nobody else is shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.api.ask import AnswerStatus, CoordinationMode, Position
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation.modes import consensus
from boardroom.coordinator.errors import MemberFailed, NotEnoughAnswers
from boardroom.coordinator.response import AskResponse
from unit.coordinator.scripted_board import ScriptedDispatcher, ask

NAMES = ("ceo", "cfo", "coo", "cto")
ASKED = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
BROKEN = st.sets(st.sampled_from(NAMES))
MODES = st.sampled_from(CoordinationMode)
MOST = st.none() | st.integers(1, 5)
VOTE = json.dumps({"position": "support", "confidence": 0.5, "rationale": "it pays"})


async def asked(
    order: list[str], broken: set[str], **request: Any
) -> tuple[AskResponse | NotEnoughAnswers | MemberFailed, list[str]]:
    """The answer or why there is none, and everybody who was asked in order."""
    heard: list[str] = []

    def say(member: str, _count: int, _request: object) -> str | None:
        heard.append(member)
        return None if member in broken else VOTE

    try:
        answer, _ = await ask(NAMES, say, agents=order, **request)
    except (NotEnoughAnswers, MemberFailed) as problem:
        return problem, heard
    return answer, heard


def entries(order: list[str], mode: CoordinationMode) -> list[str]:
    """Those who have an entry: hierarchical has the chair's last, whether or not it was chosen."""
    return [*(n for n in order if n != "ceo"), "ceo"] if mode is CoordinationMode.HIERARCHICAL else order


@given(order=ASKED, broken=BROKEN, mode=MODES, most=MOST)
async def test_there_is_one_entry_for_each_member_asked_in_order_and_nobody_is_dropped(
    order: list[str], broken: set[str], mode: CoordinationMode, most: int | None
) -> None:
    answer, heard = await asked(order, broken, coordination_mode=mode, max_concurrent=most)
    expected = entries(order, mode)
    silent = [name for name in expected if name in broken]
    assert set(heard) == set(expected)
    if silent == expected:
        assert isinstance(answer, NotEnoughAnswers)
        assert [(m.agent, m.reason) for m in answer.members or ()] == [(n, f"{n} can not") for n in expected]
        return
    assert isinstance(answer, AskResponse)
    assert [a.agent for a in answer.answers] == expected
    assert answer.agents_involved == [name for name in expected if name not in broken]
    statuses = {a.agent: a.status for a in answer.answers}
    assert statuses == {n: AnswerStatus.FAILED if n in broken else AnswerStatus.ANSWERED for n in expected}
    for name in silent:
        assert any(f"({name}) is failed: {name} can not" in warning for warning in answer.warnings)


@given(order=ASKED, broken=BROKEN, mode=MODES, wanted=st.integers(1, 4))
async def test_min_successful_is_kept_exactly(
    order: list[str], broken: set[str], mode: CoordinationMode, wanted: int
) -> None:
    expected = entries(order, mode)
    wanted = min(wanted, len(expected))
    answer, _ = await asked(order, broken, coordination_mode=mode, min_successful=wanted)
    assert isinstance(answer, AskResponse) is (len(set(expected) - broken) >= wanted)


@given(order=ASKED, broken=BROKEN, mode=MODES, most=MOST)
async def test_on_error_fail_ends_exactly_when_somebody_asked_gave_no_answer(
    order: list[str], broken: set[str], mode: CoordinationMode, most: int | None
) -> None:
    answer, heard = await asked(order, broken, coordination_mode=mode, max_concurrent=most, on_error="fail")
    assert isinstance(answer, MemberFailed) is bool(broken & set(entries(order, mode)))
    if isinstance(answer, MemberFailed):
        named = {member.agent for member in answer.members or ()}
        assert named
        assert named <= broken
        assert named == broken & set(heard)  # the batch in which one failed is the last


@given(order=ASKED, broken=BROKEN, mode=MODES, most=MOST)
async def test_batches_are_what_was_submitted_together_and_never_larger_than_max_concurrent(
    order: list[str], broken: set[str], mode: CoordinationMode, most: int | None
) -> None:
    answer, heard = await asked(order, broken, coordination_mode=mode, max_concurrent=most)
    if not isinstance(answer, AskResponse):
        return
    sizes = [batch.size for batch in answer.batches]
    assert answer.batch == (answer.batches[0] if answer.batches else None)
    assert all(1 < size <= (most or len(order)) for size in sizes)
    assert sum(sizes) <= len(heard)
    if mode is CoordinationMode.SEQUENTIAL:
        assert sizes == []
    if mode is CoordinationMode.PARALLEL:
        size = most or len(order)
        chunks = [len(order[at : at + size]) for at in range(0, len(order), size)]
        assert sizes == [chunk for chunk in chunks if chunk > 1]


@given(order=ASKED, broken=BROKEN)
async def test_parallel_shows_nobody_what_others_say(order: list[str], broken: set[str]) -> None:
    engine = await prompts(order, broken, CoordinationMode.PARALLEL)
    assert {name: engine.prompts(name) for name in order} == {name: ["And now?"] for name in order}


@given(order=ASKED, broken=BROKEN)
async def test_sequential_shows_each_the_answers_before_it_and_no_others(order: list[str], broken: set[str]) -> None:
    engine = await prompts(order, broken, CoordinationMode.SEQUENTIAL)
    said: list[str] = []
    for name in order:
        expected = "\n\n".join(["And now?", "The board has said so far:", *said] if said else ["And now?"])
        assert engine.prompts(name) == [expected]
        said += [] if name in broken else [f"{name.upper()}: I am {name}"]


async def prompts(order: list[str], broken: set[str], mode: CoordinationMode) -> ScriptedDispatcher:
    """What was asked, whatever came of it."""
    seen: list[ScriptedDispatcher] = []

    def say(member: str, _count: int, _request: object) -> str | None:
        return None if member in broken else f"I am {member}"

    try:
        await ask(NAMES, say, agents=order, coordination_mode=mode, made=seen)
    except NotEnoughAnswers:
        assert set(order) <= broken
    return seen[0]


BALLOT = st.builds(
    lambda position, confidence: json.dumps({"position": position, "confidence": confidence, "rationale": "because"}),
    st.sampled_from(["support", "oppose", "abstain"]),
    st.floats(0, 1),
)
SAID = st.one_of(BALLOT, st.sampled_from(["I support it", '{"position": "maybe"}', "{"]), st.none())
MEMBERS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.integers(0, 5), st.booleans(), st.tuples(SAID, SAID)),
    min_size=1,
)


@given(board=MEMBERS, percent=st.integers(1, 100))
async def test_consensus_asks_again_once_whoever_gave_no_vote_and_counts_the_rest_by_weight(
    board: dict[str, tuple[int, bool, tuple[str | None, str | None]]], percent: int
) -> None:
    """Against the rule written another way."""
    members = tuple(Member(name=n, role=n.upper(), weight=w, veto=v) for n, (w, v, _) in sorted(board.items()))

    def say(member: str, count: int, _request: object) -> str | None:
        return board[member][2][count]

    roster = {"members": members, "quorum_percent": percent}
    if all(said[0] is None for _, _, said in board.values()):
        with pytest.raises(NotEnoughAnswers):
            await ask((), say, roster=roster, coordination_mode="consensus")
        return
    answer, engine = await ask((), say, roster=roster, coordination_mode="consensus")
    assert answer.decision is not None
    votes = {vote.agent: vote for vote in answer.decision.votes}
    assert list(votes) == [member.name for member in members]
    for name, (weight, veto, (first, second)) in board.items():
        cast, again = position(first), first is not None and position(first) is None
        expected = position(second) if again else cast
        assert len(engine.prompts(name)) == (2 if again else 1)
        assert consensus.TASK in engine.prompts(name)[0]
        assert (votes[name].weight, votes[name].veto) == (weight, veto)
        if first is None:
            assert (votes[name].position, votes[name].reason) == (None, f"{name} can not")
        elif expected is None:
            assert votes[name].position is Position.ABSTAIN
            why = f"; asked again, it gave no answer: {name} can not" if second is None else "no vote, also asked again"
            assert why in (votes[name].reason or "")
        else:
            assert votes[name].position is expected
    for_, against = (
        sum(v.weight for v in votes.values() if v.position is p) for p in (Position.SUPPORT, Position.OPPOSE)
    )
    assert (answer.decision.verdict == "adopted") is (
        answer.decision.quorum.met
        and for_ > against
        and not any(v.veto and v.position is Position.OPPOSE for v in votes.values())
    )


def position(text: str | None) -> Position | None:
    try:
        return Position(json.loads(text or "")["position"])
    except ValueError:
        return None
