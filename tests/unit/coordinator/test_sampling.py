"""The parameters of one generation: the question's, the member's, and the member's limits."""

from hypothesis import given
from hypothesis import strategies as st

from boardroom.api.ask import Parameters
from boardroom.api.boardagent import GenerationSpec
from boardroom.coordinator.deliberation.sampling import resolve

NUMBER = st.integers(1, 300)


HEAT = st.integers(0, 20).map(lambda tenths: tenths / 10)


@given(asked=st.none() | NUMBER, own=NUMBER, limit=st.none() | NUMBER)
def test_tokens_are_the_questions_else_the_members_and_never_above_the_limit(
    asked: int | None, own: int, limit: int | None
) -> None:
    spec = GenerationSpec.model_validate({"maxNewTokens": own, "limits": {"maxNewTokens": limit}})
    resolved = resolve(Parameters(max_new_tokens=asked), spec)
    assert resolved.max_new_tokens == min(own if asked is None else asked, limit or 300)
    assert bool(resolved.clamped) is (asked is not None and limit is not None and asked > limit)


@given(asked=st.none() | HEAT, own=HEAT, limit=st.none() | HEAT)
def test_temperature_is_the_questions_else_the_members_and_never_above_the_limit(
    asked: float | None, own: float, limit: float | None
) -> None:
    limits = {"temperature": None if limit is None else f"{limit:g}"}
    spec = GenerationSpec.model_validate({"temperature": f"{own:g}", "limits": limits})
    resolved = resolve(Parameters(temperature=asked), spec)
    assert resolved.temperature == min(own if asked is None else asked, 2 if limit is None else limit)
    assert bool(resolved.clamped) is (asked is not None and limit is not None and asked > limit)
