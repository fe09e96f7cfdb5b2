"""Unit tests stay pure: while the guard watches, opening a network socket or starting a process raises.

asyncio's loop wakes itself through a socketpair, which no audit event here names.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_PLACE: Final = "a test of tests/unit is pure; a test with sockets or processes belongs to tests/component/<room>/"
_EVENTS: Final = {
    "os.exec": "starts a process",
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.system": "starts a process",
    "socket.bind": "opens a socket",
    "socket.connect": "opens a socket",
    "socket.getaddrinfo": "looks a host up",
    "subprocess.Popen": "starts a process",
}
"""CPython's audit events, by what they mean. Sockets of the Internet's families are refused when they are made."""


class ImpureTestError(AssertionError):
    """A unit test opened a socket or started a process."""


class Guard:
    """One audit hook, which stays for the interpreter's life and does nothing unless it watches."""

    def __init__(self) -> None:
        self._watches = False
        self._effects: list[str] = []
        sys.addaudithook(self._audit)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Raises ImpureTestError for an effect inside, also where the code under test swallowed the first one."""
        self._effects.clear()
        self._watches = True
        try:
            yield
        finally:
            self._watches = False
        if self._effects:
            raise ImpureTestError(f"{self._effects[0]}: {_PLACE}")

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watches:
            return
        meaning = _EVENTS.get(event)
        if event == "socket.__new__" and arguments[1] in _FAMILIES:
            meaning = "opens a socket"
        if meaning is not None:
            self._effects.append(f"{meaning} ({event})")
            raise ImpureTestError(f"{self._effects[-1]}: {_PLACE}")
