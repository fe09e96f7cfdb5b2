"""`boardroom serve` passes on what the coordinator says of a file that can't be read again."""

import orjson

from boardroom.cli.processes import board_warning
from boardroom.coordinator.board import sources


def line(**fields: str) -> bytes:
    return orjson.dumps({"level": "warning", "logger": sources.__name__, "message": "it stays as it was"} | fields)


def test_a_warning_about_the_board_is_passed_on_with_its_error() -> None:
    assert board_warning(line(error="board.yaml: spec.x: unknown")) == "it stays as it was: board.yaml: spec.x: unknown"


def test_other_lines_are_not() -> None:
    assert board_warning(b"no JSON\n") is None
    assert board_warning(b"[1]\n") is None
    assert board_warning(line(level="info")) is None
    assert board_warning(line(logger="boardroom.coordinator.backends.prober")) is None
