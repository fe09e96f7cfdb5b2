"""The age of this process, as its kernel counts it."""

import time
from pathlib import Path

import pytest

from boardroom.coordinator.peers import age


def test_the_age_grows_with_the_clock() -> None:
    before, began = age.process_age(), time.monotonic()
    after = age.process_age()
    assert 0 < before <= after <= before + (time.monotonic() - began) + 0.02  # ticks of a hundredth


def test_a_command_with_a_bracket_and_spaces_is_no_field(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("1 (a) b) S " + " ".join("0" for _ in range(40)))
    monkeypatch.setattr(age, "_STAT", tmp_path / "stat")
    assert age.process_age() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=5)


def test_a_system_that_does_not_tell_has_no_age(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(age, "_STAT", tmp_path / "nothing")
    assert age.process_age() == 0.0
