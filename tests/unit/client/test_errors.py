"""Errors of the client."""

import httpx
import pytest

from boardroom.client.errors import BoardroomError, bad_response, checked, not_sent, unreachable

REQUEST = httpx.Request("POST", "http://board/v1/ask")


def response(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    return httpx.Response(status, content=content, headers=headers, request=REQUEST)


def test_a_success_is_passed_through() -> None:
    answer = response(200)
    assert checked(answer) is answer


def test_a_refusal_is_the_coordinators_error() -> None:
    body = b'{"error":{"code":"unknown_agent","message":"no member cfo","field":"agents"}}'
    with pytest.raises(BoardroomError, match="no member cfo") as raised:
        checked(response(404, body, **{"x-request-id": "r1"}))
    error = raised.value
    assert (error.code, error.status, error.field, error.request_id) == ("unknown_agent", 404, "agents", "r1")


def test_a_refusal_of_another_server_is_named_and_cut() -> None:
    with pytest.raises(BoardroomError, match=r"502 from http://board/\S+, not of a coordinator: x{200}$") as raised:
        checked(response(502, b"x" * 300))
    assert raised.value.code == "bad_response"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (httpx.ReadTimeout("late", request=REQUEST), "timeout", "did not answer in time"),
        (httpx.ConnectError("refused", request=REQUEST), "unreachable", "can't be reached: refused"),
        (httpx.ConnectTimeout("late", request=REQUEST), "unreachable", "can't be reached"),
    ],
)
def test_no_answer_names_the_address(error: httpx.HTTPError, code: str, words: str) -> None:
    problem = unreachable(error)
    assert (problem.code, str(problem).startswith(f"http://board/v1/ask {words}")) == (code, True)


def test_a_stream_of_something_else_has_no_text_yet() -> None:
    unread = httpx.Response(200, stream=httpx.ByteStream(b"x"), request=REQUEST)
    assert "answer as a coordinator: " in str(bad_response(unread))


def test_what_can_not_be_sent_was_not() -> None:
    assert (str(not_sent("the question", ValueError("no"))), not_sent("x", ValueError()).code) == (
        "the question can't be sent: no",
        "invalid_request",
    )
