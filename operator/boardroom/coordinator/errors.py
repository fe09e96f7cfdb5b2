"""The API's errors: one exception for each code, with its HTTP status, body and headers."""

# ruff: noqa: N818 (named for what happened, as aiohttp and asyncio name theirs)

from typing import ClassVar, Self

from boardroom.api.ask import ErrorDetail, ErrorResponse, MemberProblem


class ApiError(Exception):
    """The base class of the API's errors; str() tells the problem and the remedy."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, field: str | None = None, members: list[MemberProblem] | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.members = members

    def copy(self) -> Self:
        """A copy of the error for another request: an exception carries the trace of the request that raised it."""
        return type(self)(str(self), field=self.field, members=self.members)

    def body(self) -> bytes:
        """The error's JSON body."""
        detail = ErrorDetail(code=self.code, message=str(self), field=self.field, members=self.members)
        return ErrorResponse(error=detail).model_dump_json(exclude_none=True).encode()

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the error."""
        return {}


class Internal(ApiError):
    """A bug of the coordinator; the log has the trace under the request id."""


class InvalidJson(ApiError):
    status, code = 400, "invalid_json"


class Unauthenticated(ApiError):
    """The caller is unknown: the token is missing, invalid, or for another audience."""

    status, code = 401, "unauthenticated"

    @property
    def headers(self) -> dict[str, str]:
        return {"www-authenticate": 'Bearer realm="boardroom"'}


class Forbidden(ApiError):
    """The caller is known, and has no right to ask this board."""

    status, code = 403, "forbidden"


class UnknownAgent(ApiError):
    status, code = 404, "unknown_agent"


class UnknownDomain(ApiError):
    status, code = 404, "unknown_domain"


class UnknownModel(ApiError):
    status, code = 404, "model_not_found"


class UnknownConversation(ApiError):
    status, code = 404, "unknown_conversation"


class NotFound(ApiError):
    status, code = 404, "not_found"


class MethodNotAllowed(ApiError):
    status, code = 405, "method_not_allowed"


class TooSlow(ApiError):
    """The body did not arrive in time."""

    status, code = 408, "too_slow"

    @property
    def headers(self) -> dict[str, str]:
        """The rest of the body is not read, so the connection can't be used again."""
        return {"connection": "close"}


class ConversationBusy(ApiError):
    """Its questions are answered one at a time."""

    status, code = 409, "conversation_busy"

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


class TooLarge(ApiError):
    status, code = 413, "too_large"

    @property
    def headers(self) -> dict[str, str]:
        """The rest of the body is not read, so the connection can't be used again."""
        return {"connection": "close"}


class UnsupportedMediaType(ApiError):
    status, code = 415, "unsupported_media_type"

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, 15.5.16: the accepted content codings."""
        return {"accept-encoding": "identity"} if self.field == "content-encoding" else {}


class UnsupportedTransferCoding(ApiError):
    """RFC 9112, 6.1: only the chunked coding is known here."""

    status, code = 501, "unsupported_transfer_coding"


class InvalidQuestion(ApiError):
    status, code = 422, "invalid_request"


class TooManyQuestions(ApiError):
    """The coordinator's own limit, not LoRAX's."""

    status, code = 429, "too_many_requests"

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


class NotEnoughAnswers(ApiError):
    """No member answered, or fewer than min_successful."""

    status, code = 503, "not_enough_answers"


class LoraxDown(NotEnoughAnswers):
    """No member answered, because LoRAX is down and there is no standard inference."""

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "5"}


class QuestionRefused(NotEnoughAnswers):
    """No member answered, because the engine refuses the question as it stands: too long, out of range."""

    status, code = 422, "question_refused"


class MemberFailed(ApiError):
    """on_error is fail, and a member gave no answer."""

    status, code = 503, "member_failed"


class BrokenStream(ApiError):
    """A stream can't continue."""

    status, code = 502, "stream_broken"


class NotReady(ApiError):
    """The board isn't known yet."""

    status, code = 503, "not_ready"

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "2"}


class ConversationsUnavailable(ApiError):
    """The conversation can't be read or stored now."""

    status, code = 503, "conversations_unavailable"

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "2"}


class ConversationsRefused(ConversationsUnavailable):
    """Conversations are unavailable until an administrator fixes the problem in the message: a retry does not help."""

    @property
    def headers(self) -> dict[str, str]:
        return {}


class AuthUnavailable(ApiError):
    """The coordinator can't check the caller's right to ask now, so it refuses every caller."""

    status, code = 503, "auth_unavailable"

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "2"}
