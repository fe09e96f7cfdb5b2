"""Server-sent events, as far as LoRAX frames them: data lines, comments as signs of life, an empty line as the end."""

from typing import Final

from boardroom.engine.errors import BadResponse

MAX_EVENT_BYTES: Final = 1024 * 1024


class EventReader:
    """Takes chunks as they come; an event may be split anywhere."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of each event that is now whole; raises BadResponse for one of more than `limit` bytes.

        Comments and the fields other than data are left out, and so is an event without data.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found: list[bytes] = []
        for line in lines:
            content = line.removesuffix(b"\r")
            if not content:
                if self._data:
                    found.append(b"\n".join(self._data))
                    self._data = []
            elif content.startswith(b"data:"):
                self._data.append(content[5:].removeprefix(b" "))
        if len(self._rest) + sum(map(len, self._data)) > self._limit:
            raise BadResponse(f"an event of the stream is longer than {self._limit} bytes")
        return found
