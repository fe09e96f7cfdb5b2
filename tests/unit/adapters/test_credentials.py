"""The Secret for adapters, as files of a directory."""

from pathlib import Path

import pytest

from boardroom.adapters.credentials import Credentials


def test_known_keys_are_read_without_their_line_end(tmp_path: Path) -> None:
    (tmp_path / "HF_TOKEN").write_text("hf_1\n")
    (tmp_path / "OTHER").write_text("x")
    assert Credentials.read(tmp_path).values == {"HF_TOKEN": "hf_1"}


@pytest.mark.parametrize("content", [b"", b" \n", b"a\nb", b"\xff", b"a\x00b"])
def test_what_no_header_can_hold_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "HF_TOKEN").write_bytes(content)
    assert Credentials.read(tmp_path).values == {}


def test_without_a_secret_there_are_none(tmp_path: Path) -> None:
    assert Credentials.read(None).values == Credentials.read(tmp_path / "nothing").values == {}


@pytest.mark.parametrize(
    ("own", "endpoint", "token"),
    [
        ({}, "https://huggingface.co/", "t"),
        ({}, "https://elsewhere", None),
        ({"HF_ENDPOINT": "https://elsewhere/"}, "https://elsewhere", "t"),
        ({"HF_ENDPOINT": "https://elsewhere"}, "https://huggingface.co", None),
    ],
)
def test_the_token_is_for_its_own_hub_alone(own: dict[str, str], endpoint: str, token: str | None) -> None:
    assert Credentials({"HF_TOKEN": "t"} | own).hub_token(endpoint) == token


def test_values_are_not_shown() -> None:
    assert "secret" not in repr(Credentials({"HF_TOKEN": "secret"}))
