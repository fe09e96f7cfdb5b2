"""The board's one Secret for adapters, as the kubelet mounts it: a file for each key, read anew at each attempt."""

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
"""What is read; other keys of the Secret are not looked at."""

_MAX_BYTES: Final = 16_384


@dataclass(frozen=True)
class Credentials:
    """Values by key; what is missing or empty is not there."""

    values: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, directory: Path | None) -> "Credentials":
        """What the directory holds now; nothing where there is none."""
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
        """The token for this hub: whoever may write a BoardAgent can name any endpoint, and must not be sent it."""
        own = self.values.get("HF_ENDPOINT", HUB).rstrip("/")
        return self.values.get("HF_TOKEN") if endpoint.rstrip("/") == own else None
