"""What lies in place of an adapter's file is told by its first bytes."""

import pytest

from boardroom.adapters.content import wrong_content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf\r\n <HTML>", "a web page"),
        (b"<?xml version='1.0'?><Error>", "an XML document"),
        (b"PK\x03\x04rest", "safe_serialization=True"),
        (b"\x80\x02}q", "a pickle"),
        (b"\x1f\x8brest", "a packed archive"),
    ],
)
def test_a_wrong_file_is_named_with_its_remedy(content: bytes, words: str) -> None:
    assert words in (wrong_content(content) or "")


@pytest.mark.parametrize("content", [b"", b"{}", b"\x10\x00\x00\x00\x00\x00\x00\x00{", b"{'a': '<html>'}"])
def test_what_is_no_known_mistake_has_no_name(content: bytes) -> None:
    assert wrong_content(content) is None
