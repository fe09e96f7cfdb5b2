"""LoRAX's errors: JSON with an error_type once a request has been parsed, plain text before that."""

from http import HTTPStatus
from typing import Final


class LoraxError(Exception):
    """An error that is answered as `{"error": ..., "error_type": ...}`."""

    status: HTTPStatus
    error_type: str

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class GenerationError(LoraxError):
    """Any failure behind the router, also of adapters."""

    status = HTTPStatus.FAILED_DEPENDENCY
    error_type = "generation"

    def __init__(self, cause: str) -> None:
        super().__init__(f"Request failed during generation: Server error: {cause}")


class OverloadedError(LoraxError):
    """More requests than --max-concurrent-requests (docs/lorax.md#concurrency-limit)."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    error_type = "overloaded"

    def __init__(self) -> None:
        super().__init__("Model is overloaded")


class ValidationError(LoraxError):
    """A parameter that LoRAX refuses."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    error_type = "validation"

    def __init__(self, what: str) -> None:
        super().__init__(f"Input validation error: {what}")


class TemplateError(LoraxError):
    """The model has no chat template, or the template raised."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    error_type = "template_error"

    def __init__(self, what: str) -> None:
        super().__init__(f"Failed applying chat template to inputs: {what}")


class ToolError(LoraxError):
    """Tools that are not supported."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    error_type = "tool_error"

    def __init__(self, what: str) -> None:
        super().__init__(f"Tool error: {what}")


class IncompleteGenerationError(LoraxError):
    """The stream of tokens ended before the answer was complete."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    error_type = "incomplete_generation"

    def __init__(self) -> None:
        super().__init__("Incomplete generation")


class UnhealthyError(LoraxError):
    """The health check of a model server that doesn't answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    error_type = "healthcheck"

    def __init__(self) -> None:
        super().__init__("unhealthy")


class StartupError(LoraxError):
    """The answer of /startup when its own request fails: 500, whatever the cause."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, error_type: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class StepError(Exception):
    """A forward pass failed, and every request in it (docs/lorax.md#batch-error)."""


class RouterAborted(BaseException):
    """The router has aborted: every request in flight is lost. A BaseException, so that no handler catches it."""


class Rejection(Exception):  # noqa: N818 (the field's word: an extractor's rejection)
    """A body that can't be parsed; answered in plain text, as axum does."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status: Final = status
        self.message: Final = message
