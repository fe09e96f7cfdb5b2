"""LoRAX's errors: JSON with an error_type once a request was understood, plain text before that."""

from http import HTTPStatus
from typing import Final


class LoraxError(Exception):
    """Answered as `{"error": ..., "error_type": ...}`; label is that of lorax_request_failure, None if not counted."""

    status: HTTPStatus
    error_type: str

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class GenerationError(LoraxError):
    """Everything that goes wrong behind the router, adapters included."""

    status = HTTPStatus.FAILED_DEPENDENCY
    error_type = "generation"

    def __init__(self, cause: str) -> None:
        super().__init__(f"Request failed during generation: Server error: {cause}")


class OverloadedError(LoraxError):
    """More requests than --max-concurrent-requests."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    error_type = "overloaded"

    def __init__(self) -> None:
        super().__init__("Model is overloaded")


class ValidationError(LoraxError):
    """A value that LoRAX refuses."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    error_type = "validation"

    def __init__(self, what: str) -> None:
        super().__init__(f"Input validation error: {what}")


class TemplateError(LoraxError):
    """The chat template is missing or raised."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    error_type = "template_error"

    def __init__(self, what: str) -> None:
        super().__init__(f"Failed applying chat template to inputs: {what}")


class ToolError(LoraxError):
    """Tools that can't be used."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    error_type = "tool_error"

    def __init__(self, what: str) -> None:
        super().__init__(f"Tool error: {what}")


class IncompleteGenerationError(LoraxError):
    """The answer ended without its end."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    error_type = "incomplete_generation"

    def __init__(self) -> None:
        super().__init__("Incomplete generation")


class UnhealthyError(LoraxError):
    """What a health check says of a model server that doesn't answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    error_type = "healthcheck"

    def __init__(self) -> None:
        super().__init__("unhealthy")


class StartupError(LoraxError):
    """What /startup says when its own request fails: 500, whatever went wrong."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, error_type: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class StepError(Exception):
    """A forward pass that failed, and with it every request in it."""


class RouterAborted(BaseException):
    """The router has aborted: every request in flight is lost, and nothing catches this."""


class Rejection(Exception):  # noqa: N818 (the field's word: an extractor's rejection)
    """A body that was never understood: answered as plain text, as axum does."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status: Final = status
        self.message: Final = message
