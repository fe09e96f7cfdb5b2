"""The rules of each mode, over whatever members may say or fail to say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.api.ask import MAX_ROUND_CHARS
from boardroom.coordinator.deliberation.modes import collaborative, hierarchical
from boardroom.coordinator.errors import InvalidQuestion, NotEnoughAnswers
from unit.coordinator.scripted_board import ask

NAMES = ("ceo", "cfo", "coo", "cto")
BROKEN = st.sets(st.sampled_from(NAMES))
SAYING = st.sampled_from(["grow", "Grow!", "cut", "UNCHANGED", "unchanged.", "UNCHANGED: grow", None])


@given(broken=BROKEN, members=st.sets(st.sampled_from(NAMES), min_size=1), chair=st.sampled_from(NAMES))
async def test_hierarchical_has_one_answer_of_each_and_the_chairs_last(
    broken: set[str], members: set[str], chair: str
) -> None:
    order = sorted(members)
    said = [n for n in order if n != chair and n not in broken]

    async def run() -> Any:
        return await ask(
            NAMES,
            lambda member, _count, _request: None if member in broken else f"I am {member}",
            roster={"chair_ref": chair},
            coordination_mode="hierarchical",
            agents=order,
        )

    if not said and chair in broken:
        with pytest.raises(NotEnoughAnswers) as refused:
            await run()
        assert [m.agent for m in refused.value.members or ()] == [*(n for n in order if n != chair), chair]
        return
    answer, engine = await run()
    assert [a.agent for a in answer.answers] == [*(n for n in order if n != chair), chair]
    assert answer.agents_involved == [*said, *([] if chair in broken else [chair])]
    assert answer.chair == chair
    joined = "\n\n".join(f"{n.upper()}: I am {n}" for n in said)
    assert answer.reply == (joined if chair in broken else f"I am {chair}")
    for name in order:
        assert name == chair or engine.prompts(name) == ["And now?"]
    expected = f"And now?\n\nThe board has said so far:\n\n{joined}\n\n{hierarchical.TASK}" if said else "And now?"
    assert engine.prompts(chair) == [expected]
    assert [b.size for b in answer.batches] == ([len(set(order) - {chair})] if len(set(order) - {chair}) > 1 else [])


@pytest.mark.parametrize(
    ("names", "chair_ref", "chair", "warned"),
    [
        (("abe", "ceo", "zoe"), "zoe", "zoe", False),
        (("abe", "ceo", "zoe"), None, "ceo", False),
        (("zoe", "abe"), None, "abe", False),
        (("abe", "ceo"), "gone", "ceo", True),
    ],
)
async def test_the_chair_is_the_one_of_the_spec_else_the_ceo_else_the_first_by_name(
    names: tuple[str, ...], chair_ref: str | None, chair: str, warned: bool
) -> None:
    answer, _ = await ask(names, lambda *_: "yes", roster={"chair_ref": chair_ref}, coordination_mode="hierarchical")
    assert answer.chair == chair
    assert any("chairRef" in w for w in answer.warnings) is warned


async def test_a_chair_that_was_not_chosen_makes_one_answer_of_the_chosen_ones() -> None:
    answer, engine = await ask(NAMES, lambda m, *_: m, coordination_mode="hierarchical", agents=["cfo", "cto"])
    assert [a.agent for a in answer.answers] == ["cfo", "cto", "ceo"]
    assert (answer.reply, len(engine.prompts("coo"))) == ("ceo", 0)


async def test_a_chair_that_can_not_speak_is_warned_of_and_the_answers_stand_as_they_are() -> None:
    answer, _ = await ask(NAMES, lambda m, *_: None if m == "ceo" else m, coordination_mode="hierarchical")
    assert answer.reply == "CFO: cfo\n\nCOO: coo\n\nCTO: cto"
    assert answer.warnings == [
        "CEO (ceo) is failed: ceo can not",
        "ceo, the chair, did not speak: the reply is the members' answers as they are",
    ]


@given(
    script=st.dictionaries(st.sampled_from(NAMES), st.lists(SAYING, min_size=5, max_size=5), min_size=1),
    rounds=st.integers(1, 5),
)
async def test_collaborative_goes_on_until_nobody_changes_position(
    script: dict[str, list[str | None]], rounds: int
) -> None:
    """Against a model of the rule that is written another way."""
    names = sorted(script)
    expected: dict[str, str | None] = {n: script[n][0] for n in names}
    shown = [dict(expected)]
    held = 1
    for number in range(1, rounds):
        moved = {n: script[n][number] for n in names if moves(expected[n], script[n][number])}
        expected |= moved
        shown.append(dict(expected))
        held += 1
        if not moved:
            break

    def say(member: str, count: int, _request: object) -> str | None:
        return script[member][count]

    if not any(expected.values()):
        with pytest.raises(NotEnoughAnswers):
            await ask(names, say, coordination_mode="collaborative", rounds=rounds)
        return
    answer, engine = await ask(names, say, coordination_mode="collaborative", rounds=rounds)
    assert len(answer.rounds) == held
    assert {a.agent: a.text for a in answer.answers} == expected
    assert [a.agent for a in answer.answers] == names
    for name in names:
        assert len(engine.prompts(name)) == held
        for prompt, positions in zip(engine.prompts(name)[1:], shown, strict=False):
            seen = [f"{n.upper()}: {text}" for n, text in positions.items() if text is not None]
            task = collaborative.FIRST if positions[name] is None else collaborative.TASK
            assert prompt == "\n\n".join(
                ["And now?", "The board has said so far:", *seen, task] if seen else ["And now?"]
            )
    assert [b.size for b in answer.batches] == ([len(names)] * held if len(names) > 1 else [])
    answers = sum(text is not None for n in names for text in script[n][:held])
    assert answer.usage.completion_tokens == 2 * answers


def moves(before: str | None, now: str | None) -> bool:
    if now is None:
        return False
    if before is None:
        return True
    letters = "".join(c for c in now.lower() if c.isalpha())
    return not letters.startswith("unchanged") and letters != "".join(c for c in before.lower() if c.isalpha())


async def test_what_was_said_in_each_round_is_kept_in_bounds() -> None:
    long = "word " * MAX_ROUND_CHARS
    script: dict[str, list[str | None]] = {"ceo": [long, "UNCHANGED"], "cfo": ["cut", None]}
    answer, _ = await ask(
        sorted(script), lambda m, count, _: script[m][count], coordination_mode="collaborative", rounds=2
    )
    assert [[(a.agent, a.text, a.changed) for a in r.answers] for r in answer.rounds] == [
        [("ceo", long[:MAX_ROUND_CHARS], None), ("cfo", "cut", None)],
        [("ceo", "UNCHANGED", False), ("cfo", None, False)],
    ]
    assert [a.text for a in answer.answers] == [long, "cut"]
    assert answer.warnings == ["CFO (cfo) gave no answer in round 2, its answer is of another: cfo can not"]


@pytest.mark.parametrize(("own", "held"), [(None, 4), (2, 2), (1, 1)])
async def test_a_questions_rounds_win_over_the_boards(own: int | None, held: int) -> None:
    request: dict[str, Any] = {"rounds": own} if own else {}
    answer, _ = await ask(
        NAMES, lambda _m, count, _r: f"{count}", roster={"rounds": 4}, coordination_mode="collaborative", **request
    )
    assert len(answer.rounds) == held


@pytest.mark.parametrize("mode", ["parallel", "sequential", "hierarchical"])
async def test_rounds_in_a_mode_without_rounds_are_refused(mode: str) -> None:
    with pytest.raises(InvalidQuestion) as refused:
        await ask(NAMES, lambda *_: "yes", coordination_mode=mode, rounds=2)
    assert refused.value.field == "rounds"
