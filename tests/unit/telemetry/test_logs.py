"""One shape of log line for every process."""

import json
import logging
import sys

import pytest

from boardroom.telemetry.logs import JsonFormatter, configure
from boardroom.telemetry.propagation import Trace, within

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def line(*, quote_exceptions: bool = True, error: BaseException | None = None, **extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "room", "levelname": "INFO", "msg": "said %s", "args": ("it",)} | extra)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    found: dict[str, object] = json.loads(JsonFormatter(quote_exceptions=quote_exceptions).format(record))
    return found


def raised(make: type[Exception], *arguments: object) -> Exception:
    try:
        try:
            raise KeyError("a secret cause")  # noqa: TRY301 (its trace is told too)
        except KeyError as cause:
            raise make(*arguments) from cause
    except make as error:
        return error


def test_a_line_has_time_level_logger_message_and_what_was_given() -> None:
    found = line(request_id="r1", status=200)
    assert str(found.pop("time")).endswith("+00:00")
    assert found == {"level": "info", "logger": "room", "message": "said it", "request_id": "r1", "status": 200}


def test_a_line_names_the_trace_that_it_is_part_of() -> None:
    with within(Trace(PARENT)):
        found = line()
    assert (found["trace_id"], found["span_id"]) == ("a" * 32, "b" * 16)


def test_an_exception_may_be_told_without_its_words() -> None:
    told = str(line(quote_exceptions=False, error=raised(ValueError, "a secret"))["exception"])
    shown = "\n".join(said for said in told.splitlines() if "raise" not in said)  # the source's own lines
    assert "secret" not in shown
    assert ["builtins.ValueError" in told, "builtins.KeyError" in told, "in raised" in told] == [True] * 3


def test_what_the_system_says_of_an_error_is_told() -> None:
    told = str(line(quote_exceptions=False, error=raised(OSError, 24, "Too many open files", "/secret"))["exception"])
    assert "builtins.OSError: Too many open files\n" in told
    assert "/secret" not in told


def test_an_exceptions_words_are_told_where_they_can_quote_no_prompt() -> None:
    assert "ValueError: words" in str(line(error=raised(ValueError, "words"))["exception"])


def test_everything_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure("info")
        logging.getLogger("room").info("hello")
        logging.getLogger("uvicorn.error").info("started")
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        assert handler.stream is sys.stdout
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert [json.loads(said)["message"] for said in capsys.readouterr().out.splitlines()] == ["hello"]
