"""The token that a client sends."""

from pathlib import Path

import httpx
import pytest

from boardroom.client import bearer
from boardroom.client.bearer import Bearer
from boardroom.client.errors import BoardroomError


def sent(auth: Bearer) -> str | None:
    request = next(auth.auth_flow(httpx.Request("GET", "http://board")))
    return request.headers.get("authorization")


def test_without_a_token_no_header_is_sent() -> None:
    assert (sent(Bearer(None, None)), sent(Bearer("t", None))) == (None, "Bearer t")


def test_a_token_and_a_path_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="not both"):
        Bearer("t", "/token")


def test_a_file_is_read_again_after_a_while_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(" first\n")
    auth = Bearer(None, file)
    first = sent(auth)
    file.write_text("second")
    before = sent(auth)
    monkeypatch.setattr(bearer, "TOKEN_SECONDS", 0.0)
    assert (first, before, sent(auth)) == ("Bearer first", "Bearer first", "Bearer second")


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_can_t_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BoardroomError, match=f"token_path {file} can't be read") as error:
        sent(Bearer(None, file))
    assert error.value.code == "no_token"
