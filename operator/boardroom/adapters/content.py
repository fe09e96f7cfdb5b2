"""Recognizes by its first bytes what was copied in place of an adapter's file."""

from collections.abc import Mapping
from typing import Final

_POINTER: Final = (
    "a git-lfs pointer, and not the file that it stands for; run `git lfs pull` in the repository that it was copied "
    "from, and copy it again"
)
_PAGE: Final = "a web page, and not the file; download the file itself (of a hub: /resolve/, not /blob/)"
_PACKED: Final = "a packed archive, and not the file; unpack it"

_BEGINNINGS: Final[Mapping[bytes, str]] = {
    b"version https://git-lfs": _POINTER,
    b"version https://hawser": _POINTER,
    b"<!doctype": _PAGE,
    b"<html": _PAGE,
    b"<?xml": "an XML document, which is what a store answers in place of a file that it refuses; download it again",
    b"\x1f\x8b": _PACKED,
    b"PK\x03\x04": "a zip archive, as torch.save writes it; save the adapter again with safe_serialization=True",
    b"\x28\xb5\x2f\xfd": _PACKED,
    b"BZh": _PACKED,
    b"\xfd7zXZ": _PACKED,
    b"\x80\x02": "a pickle; save the adapter again with safe_serialization=True",
}


def wrong_content(content: bytes) -> str | None:
    """Return what a file with this beginning is, and the remedy; None if the beginning is unknown."""
    begin = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:64]
    return next((kind for magic, kind in _BEGINNINGS.items() if begin.lower().startswith(magic.lower())), None)
