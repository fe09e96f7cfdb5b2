"""on_error, max_concurrent and the members' limits on parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.api.boardagent import GenerationSpec
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.errors import MemberFailed
from unit.coordinator.scripted_board import ask

NAMES = ("ceo", "cfo", "coo", "cmo", "cto")
ORDER = sorted(NAMES)


@given(most=st.integers(1, 6), mode=st.sampled_from(["parallel", "collaborative"]))
async def test_no_more_members_than_max_concurrent_are_asked_at_once(most: int, mode: str) -> None:
    answer, dispatcher = await ask(NAMES, lambda m, *_: m, coordination_mode=mode, max_concurrent=most)
    sizes = [min(most, len(NAMES) - at) for at in range(0, len(NAMES), most)]
    rounds = 2 if mode == "collaborative" else 1
    assert dispatcher.most_at_once == min(most, len(NAMES))
    assert [b.size for b in answer.batches] == [size for size in sizes if size > 1] * rounds
    assert answer.agents_involved == ORDER


@pytest.mark.parametrize(
    ("mode", "asked"),
    [("parallel", ORDER), ("sequential", ["ceo", "cfo"]), ("hierarchical", ["cfo", "cmo", "coo", "cto"])],
)
async def test_on_error_fail_ends_the_question_after_the_batch_with_a_failure(mode: str, asked: list[str]) -> None:
    seen: list[str] = []

    def say(member: str, _count: int, _request: object) -> str | None:
        seen.append(member)
        return None if member == "cfo" else "yes"

    with pytest.raises(MemberFailed) as refused:
        await ask(NAMES, say, coordination_mode=mode, on_error="fail")
    assert [(m.agent, m.reason) for m in refused.value.members or ()] == [("cfo", "cfo can not")]
    assert seen == asked


async def test_on_error_skip_names_the_member_and_goes_on() -> None:
    answer, _ = await ask(NAMES, lambda m, *_: None if m == "cfo" else m, on_error="skip")
    assert answer.agents_involved == [n for n in ORDER if n != "cfo"]


async def test_a_parameter_above_a_members_limit_is_cut_for_it_alone_and_warned_of() -> None:
    limited = GenerationSpec.model_validate({"limits": {"maxNewTokens": 10}})
    members = (Member(name="ceo", role="CEO"), Member(name="cfo", role="CFO", generation=limited))
    answer, dispatcher = await ask(
        (), lambda m, *_: m, roster={"members": members}, parameters={"max_new_tokens": 99, "temperature": 0.5}
    )
    assert {name: request.max_new_tokens for name, request in dispatcher.asked} == {"ceo": 99, "cfo": 10}
    assert answer.warnings == ["CFO (cfo): max_new_tokens 99 is cut to 10 (spec.generation.limits)"]
