"""The count of votes: rules that hold for any board and any votes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from boardroom.api.ask import AnswerStatus, Position, Verdict
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation.voting import Ballot, decide, describe, parse_ballot, vote
from boardroom.coordinator.response import MemberAnswer, Vote

POSITIONS = st.one_of(st.none(), st.sampled_from(Position))
VOTES = st.lists(st.tuples(POSITIONS, st.integers(0, 5), st.booleans()), min_size=1, max_size=8).map(
    lambda found: [
        Vote(agent=f"m{i}", role=f"M{i}", position=position, weight=weight, veto=veto)
        for i, (position, weight, veto) in enumerate(found)
    ]
)


@given(VOTES, st.integers(1, 100), st.randoms())
def test_the_order_of_votes_does_not_matter(votes: list[Vote], percent: int, random: Random) -> None:
    shuffled = list(votes)
    random.shuffle(shuffled)
    one, other = decide(votes, percent), decide(shuffled, percent)
    assert (one.verdict, one.weights, one.quorum) == (other.verdict, other.weights, other.quorum)
    assert (set(one.dissent), set(one.vetoes)) == (set(other.dissent), set(other.vetoes))


@given(VOTES, st.integers(1, 100))
def test_whoever_turns_from_against_to_for_never_undoes_an_adoption(votes: list[Vote], percent: int) -> None:
    if decide(votes, percent).verdict is not Verdict.ADOPTED:
        return
    for index, cast in enumerate(votes):
        if cast.position is Position.OPPOSE:
            turned = [*votes[:index], replace(cast, position=Position.SUPPORT), *votes[index + 1 :]]
            assert decide(turned, percent).verdict is Verdict.ADOPTED


@given(VOTES, st.integers(1, 100))
def test_nothing_is_adopted_that_a_holder_of_a_veto_opposes(votes: list[Vote], percent: int) -> None:
    decision = decide(votes, percent)
    opposing = [v.agent for v in votes if v.veto and v.position is Position.OPPOSE]
    assert decision.vetoes == opposing
    assert not (opposing and decision.verdict is Verdict.ADOPTED)


@given(VOTES, st.integers(1, 100))
def test_quorum_is_met_exactly_when_enough_weight_took_a_position(votes: list[Vote], percent: int) -> None:
    present = sum(v.weight for v in votes if v.position is not None)
    enough = present * 100 >= percent * sum(v.weight for v in votes) and present > 0
    assert decide(votes, percent).quorum.met is enough
    assert (decide(votes, percent).verdict is Verdict.NO_QUORUM) is not enough


@given(VOTES, st.integers(1, 100))
def test_every_vote_is_in_the_record_and_dissent_is_the_other_side(votes: list[Vote], percent: int) -> None:
    decision = decide(votes, percent)
    assert decision.votes == votes
    side = Position.OPPOSE if decision.verdict is Verdict.ADOPTED else Position.SUPPORT
    assert decision.dissent == [v.agent for v in votes if v.position is side]
    for cast in votes:
        assert f"{cast.role}" in describe(decision)


def test_a_tie_is_rejected() -> None:
    votes = [
        Vote(agent="a", role="A", position=Position.SUPPORT, weight=2, veto=False),
        Vote(agent="b", role="B", position=Position.OPPOSE, weight=2, veto=False),
    ]
    assert decide(votes, 50).verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{"position": "support", "confidence": 0.5, "rationale": "it pays"}', Position.SUPPORT),
        ('```json\n{"position": "oppose", "confidence": 1, "rationale": "no cash"}\n```', Position.OPPOSE),
        ('  {"position": "abstain", "confidence": 0, "rationale": "not mine", "more": 1}', Position.ABSTAIN),
    ],
)
def test_a_ballot_is_read(text: str, position: Position) -> None:
    found = parse_ballot(text)
    assert isinstance(found, Ballot)
    assert found.position is position


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I support it", "Invalid JSON"),
        ('{"position": "maybe", "confidence": 1, "rationale": "x"}', "position: "),
        ('{"position": "support", "confidence": 2, "rationale": "x"}', "confidence: "),
        ('{"position": "support", "confidence": 1, "rationale": ""}', "rationale: "),
        ('{"position": "support", "confidence": 1, "rationale": "cut off he', "Invalid JSON"),
    ],
)
def test_what_is_no_ballot_says_why(text: str, why: str) -> None:
    found = parse_ballot(text)
    assert isinstance(found, str)
    assert why in found


def test_who_gave_no_answer_has_no_position_and_is_named_with_its_reason() -> None:
    missing = MemberAnswer(agent="ceo", role="CEO", status=AnswerStatus.ABSENT, reason="no adapter")
    cast = vote(Member(name="ceo", role="CEO", weight=3, veto=True), missing)
    assert (cast.position, cast.reason, cast.weight, cast.veto) == (None, "no adapter", 3, True)
