"""Server-sent events: data lines, comments as keep-alives, and an empty line at an event's end."""

from typing import Final

from boardroom.engine.errors import BadResponse

MAX_EVENT_BYTES: Final = 1024 * 1024


class EventReader:
    """Splits a stream into events; chunks may end anywhere."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of each event that the chunk completes.

        Comments, fields other than data, and events without data are dropped. Raises BadResponse if an event has more
        than `limit` bytes.
        """
        text = self._rest + chunk
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *lines, self._rest = text.split(b"\n")
        events: list[bytes] = []
        for line in lines:
            if line[:5] == b"data:":
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > self._limit:
            raise BadResponse(f"an event of the stream is longer than {self._limit} bytes")
        return events
