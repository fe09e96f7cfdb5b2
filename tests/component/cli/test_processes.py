"""What `boardroom serve` holds of its parts: their last words, and folders that go with it."""

import os
import tempfile
import time
from pathlib import Path

import click
import pytest

from boardroom.cli import processes as local
from boardroom.cli.processes import Process, scratch
from tools.waiting import until


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for what is temporary."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_of_a_part_that_talks_a_lot_the_end_is_kept(folder: Path) -> None:
    talks = "for i in range(200_000): print('line', i)\nprint('x' * 1_000_000)\nprint('the end')\nraise SystemExit(3)"
    with Process("python", "-c", talks) as process:
        until("it has ended", lambda: _ended(process), 30)
        words = _ended(process)
    assert words.startswith("python ended with 3:\n")
    assert (words.endswith("the end"), len(words) < 300_000) == (True, True)
    assert list(folder.iterdir()) == []


def test_a_folder_goes_with_the_block() -> None:
    with scratch() as place:
        (place / "adapter").mkdir()
    assert not place.exists()


def test_what_a_killed_one_left_goes_and_nothing_else(folder: Path) -> None:
    left, young, other = (folder / f"boardroom-{name}" for name in ("left", "young", "other"))
    for place in (left, young, other):
        place.mkdir()
        (place / local._MARK).touch()
    _age(left / local._MARK)
    (other / local._MARK).unlink()  # a folder of the user's own, that happens to be named so
    with scratch() as first:
        _age(first / local._MARK)
        with scratch() as second:
            assert {first, second, young, other} == set(folder.iterdir())


def _ended(process: Process) -> str:
    try:
        process.check()
    except click.ClickException as error:
        return error.message
    return ""


def _age(mark: Path) -> None:
    then = time.time() - 2 * local._YOUNG_SECONDS
    os.utime(mark, (then, then))
