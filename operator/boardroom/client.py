"""A board's coordinator from Python: `Client`, and `AsyncClient` with the same methods to await.

    with Client("http://127.0.0.1:8000") as board:
        answer = board.ask("Analyze Q2 performance", agents=["ceo", "cfo"])

Every failure is a BoardroomError.
"""

import time
from collections.abc import Generator, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NotRequired, Self, TypedDict, Unpack

import httpx
from pydantic import ValidationError

from boardroom.api.ask import (
    AskResponse,
    Batch,
    CoordinationMode,
    ErrorResponse,
    MemberAnswer,
    MemberProblem,
)

__all__ = [
    "AskOptions",
    "AskResponse",
    "AsyncClient",
    "Batch",
    "BoardroomError",
    "Client",
    "CoordinationMode",
    "MemberAnswer",
    "MemberProblem",
    "UnreachableError",
]

CONNECT_SECONDS: Final = 5.0
TOKEN_SECONDS: Final = 60.0
"""For so long a token read from a file is sent; the kubelet renews it minutes before it ends."""
SLACK_SECONDS: Final = 5.0
"""Beyond a question's own timeout: the coordinator answers by then, and its answer has to arrive."""


class BoardroomError(Exception):
    """The board refused a question or could not answer it; str() says what is wrong and what to do.

    `code` is one word of docs/coordinator.md, `status` the HTTP status, `field` the part of the question that is wrong,
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


class AskOptions(TypedDict):
    """What can be said beside the question; docs/coordinator.md has them all."""

    agents: NotRequired[Sequence[str] | None]
    agent_id: NotRequired[str | None]
    domain: NotRequired[str | None]
    conv_id: NotRequired[str | None]
    coordination_mode: NotRequired[CoordinationMode | str | None]
    rounds: NotRequired[int | None]
    use_lorax: NotRequired[bool]
    parameters: NotRequired[dict[str, Any] | None]
    timeout: NotRequired[float | None]
    min_successful: NotRequired[int]
    on_error: NotRequired[Literal["skip", "fail"]]
    max_concurrent: NotRequired[int | None]


class Client:
    """Blocking; threads may share one. `timeout` bounds in seconds every request that is not bounded by its question's
    own; unset, the coordinator's deadline alone does. `token` is sent as a bearer token; `token_path` is a file with it
    that is read again every minute, as a projected serviceAccountToken wants it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        token_path: str | PathLike[str] | None = None,
        timeout: float | None = None,
        trust_env: bool = True,
    ) -> None:
        """`trust_env`: whether HTTP_PROXY and its kind are followed."""
        self._timeout = timeout
        self._http = httpx.Client(base_url=base_url, auth=_Bearer(token, token_path), trust_env=trust_env)

    def ask(self, user_input: str, **options: Unpack[AskOptions]) -> AskResponse:
        """The board's answer; raises BoardroomError."""
        body = _question(user_input, options)
        return _answer(self._send("POST", "/v1/ask", body, _limit(options.get("timeout"), self._timeout)))

    def agents(self) -> dict[str, Any]:
        """The members, whether each can answer and why not, and the agents without a seat."""
        return _object(self._send("GET", "/v1/agents"))

    def health(self) -> dict[str, Any]:
        """The board's health."""
        return _object(self._send("GET", "/v1/health"))

    def handle_multiagent_request(
        self,
        agent_id: str | None,
        domain: str | None,
        user_input: str,
        conv_id: str | None = None,
        coordination_mode: CoordinationMode | str | None = None,
    ) -> dict[str, Any]:
        """The primary agent and those of the domain; the answer as a dict with used_lorax and execution_time."""
        answer = self.ask(
            user_input, agent_id=agent_id, domain=domain, conv_id=conv_id, coordination_mode=coordination_mode
        )
        return answer.model_dump(mode="json")

    def get_boardroom_status(self) -> dict[str, Any]:
        """The board's health: ["system_health"]["lorax"] has running, total_adapters, loaded_adapters, metrics."""
        return self.health()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float | None = None
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body, timeout=_stages(seconds or self._timeout))
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        return _checked(response)


class AsyncClient:
    """For one event loop; see Client."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        token_path: str | PathLike[str] | None = None,
        timeout: float | None = None,
        trust_env: bool = True,
    ) -> None:
        """`trust_env`: whether HTTP_PROXY and its kind are followed."""
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=base_url, auth=_Bearer(token, token_path), trust_env=trust_env)

    async def ask(self, user_input: str, **options: Unpack[AskOptions]) -> AskResponse:
        """The board's answer; raises BoardroomError."""
        body = _question(user_input, options)
        return _answer(await self._send("POST", "/v1/ask", body, _limit(options.get("timeout"), self._timeout)))

    async def agents(self) -> dict[str, Any]:
        """The members, whether each can answer and why not, and the agents without a seat."""
        return _object(await self._send("GET", "/v1/agents"))

    async def health(self) -> dict[str, Any]:
        """The board's health."""
        return _object(await self._send("GET", "/v1/health"))

    async def handle_multiagent_request(
        self,
        agent_id: str | None,
        domain: str | None,
        user_input: str,
        conv_id: str | None = None,
        coordination_mode: CoordinationMode | str | None = None,
    ) -> dict[str, Any]:
        """The primary agent and those of the domain; the answer as a dict with used_lorax and execution_time."""
        answer = await self.ask(
            user_input, agent_id=agent_id, domain=domain, conv_id=conv_id, coordination_mode=coordination_mode
        )
        return answer.model_dump(mode="json")

    async def get_boardroom_status(self) -> dict[str, Any]:
        """The board's health: ["system_health"]["lorax"] has running, total_adapters, loaded_adapters, metrics."""
        return await self.health()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, seconds: float | None = None
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body, timeout=_stages(seconds or self._timeout))
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        return _checked(response)


class _Bearer(httpx.Auth):
    """A token, or the one that a file holds at the time: the kubelet renews projected tokens in place."""

    def __init__(self, token: str | None, path: str | PathLike[str] | None) -> None:
        if token is not None and path is not None:
            raise ValueError("give token or token_path, not both")
        self._token = token
        self._path = Path(path) if path is not None else None
        self._read_at = float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._path is not None and time.monotonic() - self._read_at >= TOKEN_SECONDS:
            self._token = _token(self._path)
            self._read_at = time.monotonic()
        if self._token:
            request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BoardroomError(f"token_path {path} can't be read: {error}", code="no_token") from error


def _question(user_input: str, options: AskOptions) -> dict[str, Any]:
    return {"user_input": user_input} | {name: value for name, value in options.items() if value is not None}


def _limit(question: float | None, client: float | None) -> float | None:
    return client if question is None else question + SLACK_SECONDS


def _stages(seconds: float | None) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=CONNECT_SECONDS)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    request_id = response.headers.get("x-request-id")
    try:
        detail = ErrorResponse.model_validate_json(response.content).error
    except ValidationError:
        text = f"HTTP {response.status_code} from {response.url}, not the coordinator's: {response.text[:200]}"
        raise BoardroomError(text, code="bad_response", status=response.status_code, request_id=request_id) from None
    raise BoardroomError(
        detail.message,
        code=detail.code,
        status=response.status_code,
        field=detail.field,
        members=detail.members or (),
        request_id=request_id,
    )


def _unreachable(error: httpx.HTTPError) -> UnreachableError:
    timed_out = isinstance(error, (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout))
    where = error.request.url
    words = "did not answer in time" if timed_out else f"can't be reached: {error}"
    return UnreachableError(f"{where} {words}", code="timeout" if timed_out else "unreachable")


def _answer(response: httpx.Response) -> AskResponse:
    try:
        return AskResponse.model_validate_json(response.content)
    except ValidationError as error:
        raise _not_ours(response) from error


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError as error:
        raise _not_ours(response) from error
    if not isinstance(found, dict):
        raise _not_ours(response)
    return found


def _not_ours(response: httpx.Response) -> BoardroomError:
    text = f"{response.url} does not answer as a coordinator: {response.text[:200]}"
    return BoardroomError(text, code="bad_response", status=response.status_code)
