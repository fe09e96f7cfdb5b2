"""The board's Secret for adapters, as the kubelet mounts it: a file for each key, read at each attempt."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from boardroom.api.adapter import HUB

KEYS: Final = (
    "HF_TOKEN",
    "HF_ENDPOINT",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
)
"""The keys that are read; others in the Secret are ignored."""

_MAX_BYTES: Final = 16_384


@dataclass(frozen=True)
class Credentials:
    """Values by key, without those that are missing or empty."""

    values: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, directory: Path | None) -> "Credentials":
        """Read the directory; without one there are no values."""
        values: dict[str, str] = {}
        for key in KEYS if directory else ():
            try:
                with (directory or Path()).joinpath(key).open(encoding="utf-8") as stream:
                    text = stream.read(_MAX_BYTES).strip()
            except (OSError, UnicodeDecodeError):
                continue
            if text and text.isprintable():
                values[key] = text
        return cls(values)

    def hub_token(self, endpoint: str) -> str | None:
        """Return the token, if `endpoint` is the Secret's own hub.

        A BoardAgent can name any endpoint, which must not receive the token.
        """
        own = self.values.get("HF_ENDPOINT", HUB).rstrip("/")
        return self.values.get("HF_TOKEN") if endpoint.rstrip("/") == own else None
