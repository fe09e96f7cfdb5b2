"""Redis's refusals: its own message without our keys and claims, and the remedy. Pure."""

import re
from typing import Final

from redis.exceptions import RedisError, ResponseError

_OPTION: Final = "spec.coordinator.conversations.redis"
_CLUSTER: Final = "it is a node of a cluster, and clusters are not supported: name another Redis"
_REMEDIES: Final = {
    "NOAUTH": f"give its password ({_OPTION}.passwordSecretRef)",
    "WRONGPASS": f"check {_OPTION}.username and passwordSecretRef; a new password counts after a restart",
    "NOPERM": f"give the user of {_OPTION}.username the rights that docs/how-to/conversations.md names",
    "WRONGTYPE": f"another program writes under the board's keys: give it a {_OPTION}.database of its own",
    "DENIED": "it is in protected mode: set a password there, and here (passwordSecretRef)",
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "CLUSTERDOWN": _CLUSTER,
    "TRYAGAIN": _CLUSTER,
}
"""Remedies of refusals that last until an administrator acts, by the code that an error begins with."""
_ERR_REMEDIES: Final = (
    ("AUTH", "the server asks for no password, or knows no users: see passwordSecretRef and username"),
    ("DB index", f"the server has no such database: see {_OPTION}.database"),
    ("unknown command", "the server lacks a command that docs/how-to/conversations.md names, or has renamed it"),
)
"""Remedies of errors without a code of their own, by a part of their message."""
_HINTS: Final = {
    "READONLY": f"; if it stays so, {_OPTION}.host leads to a replica: name the primary",
    "OOM": "; if it stays so, raise its maxmemory, or lower spec.coordinator.conversations.ttlSeconds",
    "MISCONF": "; if it stays so, its disk is full or not writable",
}
"""Hints for refusals that mostly pass by themselves."""

_CODE: Final = re.compile(r"-?([A-Z]{3,}) (.*)", re.DOTALL)
_IN_SCRIPT: Final = re.compile(r".*@user_script: ?\d+: ?(?=-?[A-Z]{3,} )", re.DOTALL)
"""Before Redis 7 the error of a script's command follows the script's."""
_OURS: Final = re.compile(r"boardroom:\S*|\b[0-9a-f]{28,}\b")
_TAILS: Final = (" script: ", ", with args beginning with:")
_ADDRESS: Final = re.compile(r"\d+ \S+:\d+")
MAX_CHARS: Final = 300


class RedisRefusal:
    """A server's answer that it refuses a command."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.text = text

    @property
    def remedy(self) -> str:
        """The remedy that an administrator must apply; empty if the refusal passes by itself."""
        if self.code == "ERR":
            return next((remedy for part, remedy in _ERR_REMEDIES if part in self.text), "")
        return _REMEDIES.get(self.code, "")

    def __str__(self) -> str:
        what = f"Redis, where conversations are kept, refuses ({self.code}: {self.text})"
        if self.remedy:
            return f"{what}: {self.remedy}; or ask without conv_id"
        return f"{what}: ask again in a moment, or without conv_id{_HINTS.get(self.code, '')}"


def refusal(error: Exception) -> RedisRefusal | None:
    """The server's refusal in an error of its client; None if the server did not answer."""
    code = error.status_code if isinstance(error, RedisError) else None
    if code is None and not isinstance(error, ResponseError):
        return None
    text = _IN_SCRIPT.sub("", str(error))
    has_code = code is None or text != str(error)  # the client takes some codes off, and leaves others
    if has_code and (match := _CODE.fullmatch(text)) is not None:
        code, text = match.groups()
    return RedisRefusal(code or "ERR", _redacted(code or "", text))


def _redacted(code: str, text: str) -> str:
    """The message without keys, claims and addresses, which are no caller's business."""
    for tail in _TAILS:
        text = text.partition(tail)[0]
    text = _OURS.sub("…", text)
    if code in ("MOVED", "ASK"):
        text = _ADDRESS.sub("to another node", text)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
    return line if len(line) <= MAX_CHARS else line[: MAX_CHARS - 1] + "…"
