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
        text = self._rest + chunk
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *lines, self._rest = text.split(b"\n")
        found: list[bytes] = []
        for line in lines:
            if line[:5] == b"data:":
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > self._limit:
            raise BadResponse(f"an event of the stream is longer than {self._limit} bytes")
        return found
