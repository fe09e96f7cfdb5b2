"""GET /openapi.json: every route's bodies and errors, generated from the models that read and write them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from boardroom.api.ask import AskRequest, AskResponse, ErrorResponse
from boardroom.api.chat import ChatCompletion, ChatErrorResponse, ChatRequest, ModelCard, ModelList
from boardroom.api.conversation import Conversation
from boardroom.api.overview import AgentsResponse, HealthResponse
from boardroom.coordinator import errors as p
from boardroom.coordinator.http import openai

Node = dict[str, Any]
Problems = tuple[type[p.ApiError], ...]

_ALWAYS: Final[Problems] = (p.Unauthenticated, p.Forbidden, p.AuthUnavailable)
_BODY: Final[Problems] = (
    p.InvalidJson,
    p.TooSlow,
    p.TooLarge,
    p.UnsupportedMediaType,
    p.UnsupportedTransferCoding,
)
_ASKING: Final[Problems] = (p.QuestionRefused, p.TooManyQuestions, p.NotEnoughAnswers, p.MemberFailed, p.NotReady)
_EXAMPLES: Final = {"conv_id": "hiring-1", "model": "executive/cfo"}
_REQUEST_ID: Final[Node] = {
    "name": "x-request-id",
    "in": "header",
    "description": "The caller's id of the request: letters, digits, `.`, `_`, `-`, at most 128; else one is made.",
    "schema": {"type": "string"},
}


def _event(description: str, *names: str) -> Node:
    data = {"type": "string", "contentMediaType": "application/json"}
    return {
        "type": "object",
        "description": description,
        "properties": {"event": {"enum": list(names)}, "data": data},
        "required": ["data"],
    }


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A route with a method. `openai`: its errors have OpenAI's shape, with 400 instead of 422 for invalid fields."""

    method: Literal["get", "post", "delete"]
    path: str
    summary: str
    returns: type[BaseModel] | None = None
    takes: type[BaseModel] | None = None
    refuses: Sequence[type[p.ApiError]] = ()
    streams: Node | None = None
    """The schema of an event, if the route can stream."""
    openai: bool = False


OPERATIONS: Final = (
    Operation(
        method="post",
        path="/v1/ask",
        summary="Ask the board.",
        takes=AskRequest,
        returns=AskResponse,
        streams=_event(
            "With `stream: true` or `Accept: text/event-stream`. The last one is result, the whole answer, or error.",
            "member.started",
            "member.delta",
            "member.restarted",
            "member.done",
            "round.done",
            "result",
            "error",
        ),
        refuses=(
            *_BODY,
            p.InvalidQuestion,
            p.UnknownAgent,
            p.UnknownDomain,
            p.ConversationBusy,
            p.ConversationsUnavailable,
            *_ASKING,
        ),
    ),
    Operation(
        method="get",
        path="/v1/conversations/{conv_id}",
        summary="What is remembered of a conversation.",
        returns=Conversation,
        refuses=(p.UnknownConversation, p.ConversationsUnavailable, p.NotReady),
    ),
    Operation(
        method="delete",
        path="/v1/conversations/{conv_id}",
        summary="Forget a conversation.",
        refuses=(p.UnknownConversation, p.ConversationBusy, p.ConversationsUnavailable, p.NotReady),
    ),
    Operation(
        method="get",
        path="/v1/agents",
        summary="The members, whether each can answer, and the agents that are not accepted.",
        returns=AgentsResponse,
        refuses=(p.NotReady,),
    ),
    Operation(method="get", path="/v1/health", summary="The board's health.", returns=HealthResponse),
    Operation(
        method="get",
        path="/v1/models",
        summary="The board and its members as OpenAI's models.",
        returns=ModelList,
        refuses=(p.NotReady,),
        openai=True,
    ),
    Operation(
        method="get",
        path="/v1/models/{model}",
        summary="One of them.",
        returns=ModelCard,
        refuses=(p.UnknownModel, p.NotReady),
        openai=True,
    ),
    Operation(
        method="post",
        path="/v1/chat/completions",
        summary="Ask one agent, or the board in its default mode, as OpenAI's clients do.",
        takes=ChatRequest,
        returns=ChatCompletion,
        streams=_event(
            "With `stream: true`: chunks as OpenAI's, the last of a choice with `boardroom`; then [DONE], or an error.",
            "message",
        ),
        refuses=(*_BODY, p.InvalidQuestion, p.UnknownModel, *_ASKING),
        openai=True,
    ),
)


@cache
def document(*, guarded: bool) -> bytes:
    """The whole description as OpenAPI 3.1; `guarded`: callers need a token."""
    return orjson.dumps(_document(guarded=guarded))


def _document(*, guarded: bool) -> Node:
    inputs = [(o.takes, "validation") for o in OPERATIONS if o.takes]
    outputs = [(o.returns, "serialization") for o in OPERATIONS if o.returns]
    models: Any = [*inputs, *outputs, (ErrorResponse, "validation"), (ChatErrorResponse, "validation")]
    references, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: Node = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Boardroom coordinator",
            "version": version("boardroom-operator"),
            "description": "One question to a board of agents, answered in one LoRAX batch. Every answer says who "
            "gave it, with which weights, by which engine, and who could not and why.",
        },
        "paths": paths,
        "security": [{"bearer": []}] if guarded else [],
        "components": {
            "schemas": _with_attribution(definitions["$defs"]),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A Kubernetes token of audience `boardroom`, or an API key; by the board's "
                    "spec.coordinator.auth.",
                }
            },
        },
    }


def _operation(operation: Operation, references: Any) -> Node:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    path: list[Node] = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}, "example": _EXAMPLES[n]}
        for n in names
    ]
    description: Node = {
        "summary": operation.summary,
        "operationId": f"{operation.method}_{operation.path.strip('/').translate(str.maketrans('/', '_', '{}'))}",
        "parameters": [*path, _REQUEST_ID],
        "responses": _answers(operation, references) | _refusals(operation, references),
    }
    if operation.takes is not None:
        body = {"application/json": {"schema": references[(operation.takes, "validation")]}}
        description["requestBody"] = {"required": True, "content": body}
    return description


def _answers(operation: Operation, references: Any) -> Node:
    if operation.returns is None:
        return {"204": _response("Done.")}
    content: Node = {"application/json": {"schema": references[(operation.returns, "serialization")]}}
    if operation.streams:
        content["text/event-stream"] = {"schema": operation.streams}
    return {"200": _response("The answer.", content)}


def _refusals(operation: Operation, references: Any) -> Node:
    """The error responses by status; each names its codes."""
    shape = ChatErrorResponse if operation.openai else ErrorResponse
    content = {"application/json": {"schema": references[(shape, "validation")]}}
    by_status: dict[int, list[type[p.ApiError]]] = {}
    for problem in [*operation.refuses, *_ALWAYS]:
        status = openai.problem_status(problem("")) if operation.openai else problem.status
        by_status.setdefault(status, []).append(problem)
    return {
        str(status): _response(", ".join(problem.code for problem in problems), content, _headers(problems))
        for status, problems in sorted(by_status.items())
    }


def _headers(problems: Sequence[type[p.ApiError]]) -> Node:
    every = [problem("").headers for problem in problems]
    names = {name for headers in every for name in headers} - {"connection"}
    return {
        name: {"schema": {"type": "string"}, "required": all(name in headers for headers in every)}
        for name in sorted(names)
    }


def _response(description: str, content: Node | None = None, headers: Node | None = None) -> Node:
    always = {"x-request-id": {"schema": {"type": "string"}, "required": True}}
    return {"description": description, "headers": always | (headers or {})} | ({"content": content} if content else {})


def _with_attribution(schemas: Node) -> Node:
    """Add the schema of a completion's `boardroom`: the answer of /v1/ask without the fields that OpenAI's own hold."""
    whole, own = schemas["AskResponse"], {"reply", "usage"}
    schemas["Attribution"] = whole | {
        "title": "Attribution",
        "description": "Who answered, with which weights, by which engine, and who could not and why.",
        "properties": {name: field for name, field in whole["properties"].items() if name not in own},
        "required": [name for name in whole["required"] if name not in own],
    }
    schemas["ChatCompletion"]["properties"]["boardroom"] = {"$ref": "#/components/schemas/Attribution"}
    return schemas
