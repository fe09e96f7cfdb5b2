"""Events of a streamed question, in whatever pieces they arrive."""

from collections.abc import Iterator

import httpx
import pytest

from boardroom.client.errors import BoardroomError
from boardroom.client.events import Event, read

DELTA = 'event: member.delta\ndata: {"agent":"ceo","role":"CEO","text":"we\u2028grow"}\n\n'.encode()
STARTED = b'event: member.started\r\ndata: {"agent":"ceo","role":"CEO"}\r\n\r\n'


class Pieces(httpx.SyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces


def response(*pieces: bytes) -> httpx.Response:
    return httpx.Response(200, stream=Pieces(*pieces), request=httpx.Request("POST", "http://board/v1/ask"))


def until_the_end(*pieces: bytes) -> list[Event]:
    """The events of a stream that breaks off without a result."""
    events: list[Event] = []
    with pytest.raises(BoardroomError):
        events.extend(each for each in read(response(*pieces)))
    return events


def test_events_are_the_same_wherever_the_stream_is_cut() -> None:
    stream = STARTED + b":\n\n" + DELTA
    whole = [(event.name, event.agent, event.role, event.text) for event in until_the_end(stream)]
    assert whole == [("member.started", "ceo", "CEO", ""), ("member.delta", "ceo", "CEO", "we\u2028grow")]
    for at in range(1, len(stream)):
        assert len(until_the_end(stream[:at], stream[at:])) == 2


def test_an_error_is_raised_with_its_code_and_field() -> None:
    error = b'event: error\ndata: {"error":{"code":"invalid_question","message":"ask","field":"user_input"}}\n\n'
    with pytest.raises(BoardroomError, match="ask") as raised:
        list(read(response(error)))
    assert (raised.value.code, raised.value.field) == ("invalid_question", "user_input")


@pytest.mark.parametrize(
    "stream", [b"", b"<html>", b"event: member.delta\ndata: {\n\n", b"event: result\ndata: {}\n\n"]
)
def test_what_is_no_stream_of_a_coordinator_is_an_error(stream: bytes) -> None:
    with pytest.raises(BoardroomError) as raised:
        list(read(response(stream)))
    assert raised.value.code == "bad_response"
