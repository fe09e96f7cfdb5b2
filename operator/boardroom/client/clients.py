"""A board's coordinator from Python: `Client`, and `AsyncClient` with the same methods to await."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from os import PathLike
from types import TracebackType
from typing import Any, Final, Literal, NotRequired, Self, TypedDict, Unpack
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from boardroom.api.ask import AskResponse, CoordinationMode
from boardroom.api.conversation import Conversation
from boardroom.client.bearer import Bearer
from boardroom.client.errors import bad_response, checked, not_sent, unreachable
from boardroom.client.events import Event, aread, read

CONNECT_SECONDS: Final = 5.0
SLACK_SECONDS: Final = 5.0
"""Seconds beyond a question's own timeout, in which the coordinator's answer arrives."""

_JSON: Final = {"content-type": "application/json"}


class AskOptions(TypedDict):
    """Options of a question. docs/reference/http-api.md describes them."""

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
    """A blocking client. Threads may share one.

    `timeout`: seconds for each request without a timeout of its question; unset, only the coordinator's deadline
    applies. `token`: the bearer token. `token_path`: a file with the token, read again every minute, as for a projected
    serviceAccountToken.
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
        """`trust_env`: whether to use HTTP_PROXY and the like."""
        self._timeout = timeout
        self._http = httpx.Client(base_url=base_url, auth=Bearer(token, token_path), trust_env=trust_env)

    def ask(self, user_input: str, **options: Unpack[AskOptions]) -> AskResponse:
        """The board's answer. Raises BoardroomError."""
        body = _question(user_input, options)
        return _answer(self._send("POST", "/v1/ask", body, _limit(options.get("timeout"), self._timeout)))

    @contextmanager
    def stream(self, user_input: str, **options: Unpack[AskOptions]) -> Iterator[Iterator[Event]]:
        """The events of a question; the last one holds the answer. Leaving the block ends the question.

        with board.stream("Shall we hire?") as events:
            for event in events: ...

        Raises BoardroomError, also out of the iteration.
        """
        body = _question(user_input, options, stream=True)
        limit = _stages(_limit(options.get("timeout"), self._timeout))
        try:
            with self._http.stream("POST", "/v1/ask", content=body, headers=_JSON, timeout=limit) as response:
                if not response.is_success:
                    response.read()
                yield read(checked(response))
        except httpx.HTTPError as error:
            raise unreachable(error) from error

    def agents(self) -> dict[str, Any]:
        """The members, each with its readiness and reason, and the refused BoardAgents."""
        return _object(self._send("GET", "/v1/agents"))

    def health(self) -> dict[str, Any]:
        """The board's health."""
        return _object(self._send("GET", "/v1/health"))

    def conversation(self, conv_id: str) -> Conversation:
        """A conversation. Raises BoardroomError, with status 404 if it does not exist."""
        return _conversation(self._send("GET", _conversation_path(conv_id)))

    def forget(self, conv_id: str) -> None:
        """Delete a conversation. Raises BoardroomError."""
        self._send("DELETE", _conversation_path(conv_id))

    def handle_multiagent_request(
        self,
        agent_id: str | None,
        domain: str | None,
        user_input: str,
        conv_id: str | None = None,
        coordination_mode: CoordinationMode | str | None = None,
    ) -> dict[str, Any]:
        """Ask the primary agent and those of the domain. Returns a dict with used_lorax and execution_time."""
        answer = self.ask(
            user_input, agent_id=agent_id, domain=domain, conv_id=conv_id, coordination_mode=coordination_mode
        )
        return answer.model_dump(mode="json")

    def get_boardroom_status(self) -> dict[str, Any]:
        """The board's health: ["system_health"]["lorax"] has running, total_adapters, loaded_adapters, metrics."""
        return self.health()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, path: str, body: bytes | None = None, seconds: float | None = None) -> httpx.Response:
        try:
            limit, headers = _stages(seconds or self._timeout), _JSON if body else None
            response = self._http.request(method, path, content=body, headers=headers, timeout=limit)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return checked(response)


class AsyncClient:
    """An asynchronous client for one event loop; see Client."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        token_path: str | PathLike[str] | None = None,
        timeout: float | None = None,
        trust_env: bool = True,
    ) -> None:
        """`trust_env`: whether to use HTTP_PROXY and the like."""
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=base_url, auth=Bearer(token, token_path), trust_env=trust_env)

    async def ask(self, user_input: str, **options: Unpack[AskOptions]) -> AskResponse:
        """The board's answer. Raises BoardroomError."""
        body = _question(user_input, options)
        return _answer(await self._send("POST", "/v1/ask", body, _limit(options.get("timeout"), self._timeout)))

    @asynccontextmanager
    async def stream(self, user_input: str, **options: Unpack[AskOptions]) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of a question; see Client.stream."""
        body = _question(user_input, options, stream=True)
        limit = _stages(_limit(options.get("timeout"), self._timeout))
        try:
            async with self._http.stream("POST", "/v1/ask", content=body, headers=_JSON, timeout=limit) as response:
                if not response.is_success:
                    await response.aread()
                yield aread(checked(response))
        except httpx.HTTPError as error:
            raise unreachable(error) from error

    async def agents(self) -> dict[str, Any]:
        """The members, each with its readiness and reason, and the refused BoardAgents."""
        return _object(await self._send("GET", "/v1/agents"))

    async def health(self) -> dict[str, Any]:
        """The board's health."""
        return _object(await self._send("GET", "/v1/health"))

    async def conversation(self, conv_id: str) -> Conversation:
        """A conversation. Raises BoardroomError, with status 404 if it does not exist."""
        return _conversation(await self._send("GET", _conversation_path(conv_id)))

    async def forget(self, conv_id: str) -> None:
        """Delete a conversation. Raises BoardroomError."""
        await self._send("DELETE", _conversation_path(conv_id))

    async def handle_multiagent_request(
        self,
        agent_id: str | None,
        domain: str | None,
        user_input: str,
        conv_id: str | None = None,
        coordination_mode: CoordinationMode | str | None = None,
    ) -> dict[str, Any]:
        """Ask the primary agent and those of the domain. Returns a dict with used_lorax and execution_time."""
        answer = await self.ask(
            user_input, agent_id=agent_id, domain=domain, conv_id=conv_id, coordination_mode=coordination_mode
        )
        return answer.model_dump(mode="json")

    async def get_boardroom_status(self) -> dict[str, Any]:
        """The board's health: ["system_health"]["lorax"] has running, total_adapters, loaded_adapters, metrics."""
        return await self.health()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(
        self, method: str, path: str, body: bytes | None = None, seconds: float | None = None
    ) -> httpx.Response:
        try:
            limit, headers = _stages(seconds or self._timeout), _JSON if body else None
            response = await self._http.request(method, path, content=body, headers=headers, timeout=limit)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return checked(response)


def _question(user_input: str, options: AskOptions, *, stream: bool = False) -> bytes:
    fields = {name: value for name, value in options.items() if value is not None}
    body = {"user_input": user_input} | fields | ({"stream": True} if stream else {})
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise not_sent("the question", error) from error


def _conversation_path(conv_id: str) -> str:
    try:
        return f"/v1/conversations/{quote(conv_id, safe='')}"
    except UnicodeEncodeError as error:
        raise not_sent("conv_id", error) from error


def _limit(question: float | None, client: float | None) -> float | None:
    return client if question is None else question + SLACK_SECONDS


def _stages(seconds: float | None) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=CONNECT_SECONDS)


def _answer(response: httpx.Response) -> AskResponse:
    try:
        return AskResponse.model_validate_json(response.content)
    except ValidationError as error:
        raise bad_response(response) from error


def _conversation(response: httpx.Response) -> Conversation:
    try:
        return Conversation.model_validate_json(response.content)
    except ValidationError as error:
        raise bad_response(response) from error


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError as error:
        raise bad_response(response) from error
    if not isinstance(body, dict):
        raise bad_response(response)
    return body
