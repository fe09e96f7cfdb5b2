"""consensus: one batch of votes, each mended once, and the record of what they decided."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from boardroom.api.ask import Position, Verdict
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.deliberation.modes import consensus
from boardroom.coordinator.deliberation.voting import SCHEMA
from boardroom.coordinator.errors import NotEnoughAnswers
from boardroom.engine.protocol import GenerationRequest
from unit.coordinator.scripted_board import ask

NAMES = ("ceo", "cfo", "coo", "cto")
SAYING = st.sampled_from(["support", "oppose", "abstain", "I am for it", None])


def ballot(position: str, rationale: str = "because") -> str:
    return json.dumps({"position": position, "confidence": 0.9, "rationale": rationale})


def text_of(said: str | None) -> str | None:
    return ballot(said) if said in set(Position) else said


@given(st.dictionaries(st.sampled_from(NAMES), st.tuples(SAYING, SAYING), min_size=1), st.integers(1, 100))
async def test_each_member_has_one_vote_mended_at_most_once(
    script: dict[str, tuple[str | None, str | None]], percent: int
) -> None:
    def say(member: str, count: int, _request: GenerationRequest) -> str | None:
        return text_of(script[member][count])

    names = sorted(script)
    if not any(first is not None for first, _ in script.values()):
        with pytest.raises(NotEnoughAnswers):
            await ask(names, say, coordination_mode="consensus")
        return
    answer, engine = await ask(names, say, roster={"quorum_percent": percent}, coordination_mode="consensus")
    assert answer.decision is not None
    expected: dict[str, Position | None] = {}
    for name, (first, second) in script.items():
        unclear = first not in {*Position, None}
        asked = [request.prompt for member, request in engine.asked if member == name]
        assert len(asked) == (2 if unclear else 1)
        final = (second if second is not None else first) if unclear else first
        expected[name] = None if final is None else Position(final) if final in set(Position) else Position.ABSTAIN
    assert {v.agent: v.position for v in answer.decision.votes} == expected
    assert [v.agent for v in answer.decision.votes] == names
    assert all(request.response_format == SCHEMA for _, request in engine.asked)


async def test_an_answer_that_is_no_vote_is_asked_again_with_the_reason() -> None:
    answer, engine = await ask(
        ["ceo"],
        lambda _m, count, _r: "I am for it" if count == 0 else ballot("support", "it pays"),
        coordination_mode="consensus",
    )
    first, second = engine.prompts("ceo")
    assert first == f"And now?\n\n{consensus.TASK}"
    assert second.startswith(f"{first}\n\nYour last answer was no such JSON object (Invalid JSON")
    assert answer.reply == ("Adopted: support 1, oppose 0, abstain 0; quorum 1 met with 1.\n\nCEO: support. it pays")


async def test_no_stop_sequence_cuts_a_ballot_short() -> None:
    asked: dict[str, Any] = {"coordination_mode": "consensus", "parameters": {"stop": ("because",)}}
    _, engine = await ask(["ceo"], lambda *_: ballot("support"), **asked)
    _, parallel = await ask(["ceo"], lambda *_: "yes", parameters={"stop": ("because",)})
    assert [request.stop for _, request in engine.asked + parallel.asked] == [(), ("because",)]


async def test_an_abstention_says_that_the_member_gave_no_answer_when_it_was_asked_again() -> None:
    answer, _ = await ask(
        ["ceo"], lambda _m, count, _r: "I am for it" if count == 0 else None, coordination_mode="consensus"
    )
    assert answer.decision is not None
    [vote] = answer.decision.votes
    assert vote.position is Position.ABSTAIN
    assert vote.reason is not None
    assert vote.reason.startswith("its answer is no vote: Invalid JSON")
    assert vote.reason.endswith("; asked again, it gave no answer: ceo can not")


async def test_weights_and_vetoes_of_the_members_count() -> None:
    members = (
        Member(name="cfo", role="CFO", weight=2, veto=True),
        Member(name="cmo", role="CMO", weight=3),
        Member(name="cto", role="CTO", weight=3),
    )

    def say(member: str, _count: int, _request: GenerationRequest) -> str:
        return ballot("oppose" if member == "cfo" else "support", f"I am {member}")

    answer, _ = await ask([], say, roster={"members": members}, coordination_mode="consensus")
    decision = answer.decision
    assert decision is not None
    assert (decision.verdict, decision.vetoes, decision.dissent) == (Verdict.VETOED, ["cfo"], ["cmo", "cto"])
    assert asdict(decision.weights) == {"support": 6, "oppose": 2, "abstain": 0}
    assert answer.reply.startswith("Vetoed: support 6, oppose 2, abstain 0; quorum 4 met with 8; veto of cfo.")
