"""The modes by their names."""

from boardroom.coordinator.deliberation.modes.registry import load


def test_every_mode_that_a_question_can_name_is_there() -> None:
    modes = load()
    assert {mode.value: function.__name__ for mode, function in modes.items()} == {m.value: m.value for m in modes}
