"""The errors of the client."""

from collections.abc import Sequence

import httpx
from pydantic import ValidationError

from boardroom.api.ask import ErrorDetail, ErrorResponse, MemberProblem


class BoardroomError(Exception):
    """The board refused a question or could not answer it. str() is the error with its remedy.

    `code`: an error code of docs/reference/http-api.md. `status`: the HTTP status. `field`: the wrong field of the
    question. `members`: for each member why it gave no answer.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        field: str | None = None,
        members: Sequence[MemberProblem] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.field = field
        self.members = tuple(members)
        self.request_id = request_id


class UnreachableError(BoardroomError):
    """No answer arrived: no connection, or a timeout. The board may have been asked."""


def checked(response: httpx.Response) -> httpx.Response:
    """The response if it is a success. Raises BoardroomError with the coordinator's error."""
    if response.is_success:
        return response
    request_id = response.headers.get("x-request-id")
    try:
        detail = ErrorResponse.model_validate_json(response.content).error
    except ValidationError:
        text = f"HTTP {response.status_code} from {response.url}, not of a coordinator: {response.text[:200]}"
        raise BoardroomError(text, code="bad_response", status=response.status_code, request_id=request_id) from None
    raise refused(detail, response)


def refused(detail: ErrorDetail, response: httpx.Response) -> BoardroomError:
    """The coordinator's error, from a response or from a stream, as an exception."""
    return BoardroomError(
        detail.message,
        code=detail.code,
        status=response.status_code,
        field=detail.field,
        members=detail.members or (),
        request_id=response.headers.get("x-request-id"),
    )


def unreachable(error: httpx.HTTPError) -> UnreachableError:
    """An error of httpx as UnreachableError."""
    timed_out = isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout))
    where = error.request.url
    problem = "did not answer in time" if timed_out else f"can't be reached: {error}"
    return UnreachableError(f"{where} {problem}", code="timeout" if timed_out else "unreachable")


def bad_response(response: httpx.Response) -> BoardroomError:
    """The error for a response that no coordinator gives."""
    try:
        body = response.text[:200]
    except httpx.ResponseNotRead:
        body = "a stream of other events"
    text = f"{response.url} does not answer as a coordinator: {body}"
    return BoardroomError(text, code="bad_response", status=response.status_code)


def not_sent(what: str, error: Exception) -> BoardroomError:
    """The error for input that is neither JSON nor text. The client has not sent the input."""
    return BoardroomError(f"{what} can't be sent: {error}", code="invalid_request")
