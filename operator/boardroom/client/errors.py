"""What can go wrong between a client and its board."""

from collections.abc import Sequence

import httpx
from pydantic import ValidationError

from boardroom.api.ask import ErrorDetail, ErrorResponse, MemberProblem


class BoardroomError(Exception):
    """The board refused a question or could not answer it; str() says what is wrong and what to do.

    `code` is one of docs/reference/http-api.md, `status` the HTTP status, `field` the wrong part of the question,
    `members` why each of them gave no answer.
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
    """No answer came at all: no connection, or none in time. The board may have been asked."""


def checked(response: httpx.Response) -> httpx.Response:
    """The response if it is a success, read whole; raises BoardroomError with what the coordinator says."""
    if response.is_success:
        return response
    request_id = response.headers.get("x-request-id")
    try:
        detail = ErrorResponse.model_validate_json(response.content).error
    except ValidationError:
        text = f"HTTP {response.status_code} from {response.url}, not the coordinator's: {response.text[:200]}"
        raise BoardroomError(text, code="bad_response", status=response.status_code, request_id=request_id) from None
    raise refused(detail, response)


def refused(detail: ErrorDetail, response: httpx.Response) -> BoardroomError:
    """The coordinator's error, whole or out of a stream."""
    return BoardroomError(
        detail.message,
        code=detail.code,
        status=response.status_code,
        field=detail.field,
        members=detail.members or (),
        request_id=response.headers.get("x-request-id"),
    )


def unreachable(error: httpx.HTTPError) -> UnreachableError:
    """Httpx's error as ours."""
    timed_out = isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout))
    where = error.request.url
    words = "did not answer in time" if timed_out else f"can't be reached: {error}"
    return UnreachableError(f"{where} {words}", code="timeout" if timed_out else "unreachable")


def not_ours(response: httpx.Response) -> BoardroomError:
    """An answer that no coordinator gives."""
    try:
        said = response.text[:200]
    except httpx.ResponseNotRead:
        said = "a stream of something else's events"
    text = f"{response.url} does not answer as a coordinator: {said}"
    return BoardroomError(text, code="bad_response", status=response.status_code)


def unsent(what: str, error: Exception) -> BoardroomError:
    """It is no text or no JSON, so it never left."""
    return BoardroomError(f"{what} can't be sent: {error}", code="invalid_request")
