"""The HTTP surface: the API's routes on one port, probes and metrics on another."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from boardroom.api.ask import AskRequest, CoordinationMode
from boardroom.api.chat import ChatRequest
from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.errors import NotReady
from boardroom.coordinator.http import openai, openapi, views
from boardroom.coordinator.http.ask_stream import AskStream
from boardroom.coordinator.http.chat_stream import ChatStream, ChatWriter
from boardroom.coordinator.http.cors import cross_origin
from boardroom.coordinator.http.endpoint import (
    Call,
    Endpoint,
    EndpointDeps,
    Handler,
    JsonBody,
    Refuse,
    StreamBody,
    start_stream,
)
from boardroom.coordinator.http.gathering import gather_all
from boardroom.coordinator.http.metrics_pages import lorax_page, own_page
from boardroom.coordinator.http.peers import peers_handler
from boardroom.coordinator.http.request_log import RequestRecord
from boardroom.coordinator.http.requests import parse
from boardroom.coordinator.http.routing import DirectRoutes, api_error, not_routed, openai_error
from boardroom.coordinator.http.sse import EventBuffer
from boardroom.coordinator.peers.protocol import PATH as PEERS
from boardroom.coordinator.response import encode
from boardroom.engine.errors import EngineError

EVENTS: Final = "text/event-stream"


class Api:
    """The handlers of the API. Each returns its body or raises ApiError."""

    def __init__(self, coordinator: Coordinator, *, guarded: bool) -> None:
        self._coordinator = coordinator
        self._description = openapi.document(guarded=guarded)
        self._created = int(time.time())

    async def ask(self, call: Call) -> JsonBody | StreamBody:
        began = asyncio.get_running_loop().time()
        question = parse(await call.body())
        record = call.record
        record.mode = self._mode(question)
        if question.stream or EVENTS in call.headers.get("accept", ""):
            return await self._stream_ask(question, record, began)
        answer = await self._coordinator.ask(question, record.request_id, began)
        record.add_answer(answer)
        return JsonBody(encode(answer))

    async def _stream_ask(self, question: AskRequest, record: RequestRecord, began: float) -> StreamBody:
        buffer = EventBuffer()
        stream = AskStream(buffer)

        async def ask() -> None:
            answer = await self._coordinator.ask(question, record.request_id, began, listener=stream)
            record.add_answer(answer)
            stream.finish(answer)

        return await start_stream(ask, stream, buffer, record.request_id)

    async def conversation(self, call: Call) -> JsonBody:
        conversation = await self._coordinator.conversations.read(call.path_param("conv_id"))
        return JsonBody(conversation.model_dump_json().encode())

    async def forget(self, call: Call) -> JsonBody:
        await self._coordinator.conversations.delete(call.path_param("conv_id"))
        return JsonBody(b"", status=HTTPStatus.NO_CONTENT)

    async def agents(self, _: Call) -> JsonBody:
        c = self._coordinator
        return JsonBody(views.agents(self._roster(), c.adapters, c.observation()).model_dump_json().encode())

    async def health(self, _: Call) -> JsonBody:
        c = self._coordinator
        return JsonBody(views.health(c.roster, c.problem, c.adapters, c.observation()).model_dump_json().encode())

    async def description(self, _: Call) -> JsonBody:
        return JsonBody(self._description)

    async def models(self, _: Call) -> JsonBody:
        return JsonBody(orjson.dumps({"object": "list", "data": openai.models(self._roster(), self._created)}))

    async def model(self, call: Call) -> JsonBody:
        return JsonBody(orjson.dumps(openai.model(call.path_param("model"), self._roster(), self._created)))

    async def chat(self, call: Call) -> JsonBody | StreamBody:
        began = asyncio.get_running_loop().time()
        chat = openai.parse(await call.body())
        roster = self._roster()
        questions = openai.questions(chat, roster)
        record = call.record
        mode = self._mode(questions.requests[0])
        record.mode = mode
        if chat.stream:
            return await self._stream_chat(chat, questions, mode, record, began)
        answers = await gather_all(
            self._coordinator.ask(question, record.request_id, began, questions.context)
            for question in questions.requests
        )
        for answer in answers:
            record.add_answer(answer)
        return JsonBody(openai.completion(chat, answers))

    async def _stream_chat(
        self,
        chat: ChatRequest,
        questions: openai.ChatQuestions,
        mode: CoordinationMode,
        record: RequestRecord,
        began: float,
    ) -> StreamBody:
        buffer = EventBuffer()
        one_agent = "/" in chat.model
        request_id = record.request_id
        writer = ChatWriter(buffer, chat, request_id)
        streams = [ChatStream(writer, index, mode, one_agent=one_agent) for index in range(len(questions.requests))]

        async def ask() -> None:
            answers = await gather_all(
                self._coordinator.ask(question, request_id, began, questions.context, listener=stream)
                for question, stream in zip(questions.requests, streams, strict=True)
            )
            for answer, stream in zip(answers, streams, strict=True):
                record.add_answer(answer)
                stream.finish(answer)
            writer.finish(answers)

        return await start_stream(ask, writer, buffer, request_id)

    def _mode(self, question: AskRequest) -> CoordinationMode:
        return question.coordination_mode or self._roster().default_mode

    def _roster(self) -> Roster:
        if self._coordinator.roster is None:
            raise NotReady(self._coordinator.problem)
        return self._coordinator.roster


def create_app(
    coordinator: Coordinator, authenticator: Authenticator | None = None, origins: Sequence[str] = ()
) -> ASGIApp:
    """The application on the API's port. Without an authenticator anybody may ask; browsers' pages of these origins
    may.
    """
    app = _application(
        routes=api_routes(coordinator, authenticator),
        exception_handlers={HTTPException: not_routed(coordinator.metrics)},
    )
    return cross_origin(DirectRoutes(app), origins)


def api_routes(coordinator: Coordinator, authenticator: Authenticator | None = None) -> list[Route]:
    """The routes of the API, OpenAI's included. openapi.py describes their bodies."""
    api = Api(coordinator, guarded=authenticator is not None)
    guarded = EndpointDeps(coordinator.metrics, coordinator.tracer, authenticator)
    open_ = EndpointDeps(coordinator.metrics, coordinator.tracer, None)

    def route(path: str, handler: Handler, method: str, refuse: Refuse = api_error, *, public: bool = False) -> Route:
        return Route(path, Endpoint(path, handler, refuse, open_ if public else guarded), methods=[method])

    return [
        route("/v1/ask", api.ask, "POST"),
        route("/v1/conversations/{conv_id:path}", api.conversation, "GET"),
        route("/v1/conversations/{conv_id:path}", api.forget, "DELETE"),
        route("/v1/agents", api.agents, "GET"),
        route("/v1/health", api.health, "GET"),
        route("/v1/models", api.models, "GET", openai_error),
        route("/v1/models/{model:path}", api.model, "GET", openai_error),
        route("/v1/chat/completions", api.chat, "POST", openai_error),
        route("/openapi.json", api.description, "GET", public=True),
    ]


def create_probe_app(coordinator: Coordinator, authenticator: Authenticator | None = None) -> Starlette:
    """The application on the metrics port: GET /healthz (the event loop runs), /readyz (the board is known and callers
    can be authenticated; LoRAX may be down), /metrics, /metrics/lorax (LoRAX's own), and POST /peers for the board's
    other coordinators.

    No route here asks for a token.
    """
    peers = coordinator.peers
    own = own_page(coordinator.metrics.registry)
    lorax = lorax_page(coordinator.pool, lambda: peers is None or peers.is_leader)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        problem = coordinator.problem
        if authenticator:
            problem = problem or await authenticator.problem()
        return PlainTextResponse(f"{problem or 'ok'}\n", status_code=503 if problem else 200)

    async def metrics(_: Request) -> Response:
        return Response(await own.read(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    async def lorax_metrics(_: Request) -> Response:
        try:
            return Response(await lorax.read(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})
        except EngineError as error:
            return PlainTextResponse(f"{error}\n", status_code=HTTPStatus.BAD_GATEWAY)

    return _application(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/metrics/lorax", lorax_metrics),
            Route(PEERS, peers_handler(coordinator.peers), methods=["POST"]),
        ]
    )


def _application(**parts: Any) -> Starlette:
    """A Starlette application that does not redirect `/path/` to `/path`. Behind a proxy that ends TLS such a redirect
    names http://, and the client would send its token and its question again in the clear.
    """
    app = Starlette(**parts)
    app.router.redirect_slashes = False
    return app
