"""OpenAI's bodies: from a chat request to questions to the board, and from answers to a chat completion. Pure."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from msgspec import to_builtins
from msgspec.structs import replace
from pydantic import ValidationError
from pydantic_core import from_json

from boardroom.api.ask import MAX_QUESTION_CHARS, AnswerStatus, AskRequest, CoordinationMode
from boardroom.api.chat import IDLE, INERT, MAX_MESSAGES_CHARS, ChatRequest, ResponseFormat
from boardroom.coordinator.board.roster import Roster
from boardroom.coordinator.deliberation.context import PromptContext
from boardroom.coordinator.deliberation.session import total_usage
from boardroom.coordinator.errors import (
    ApiError,
    InvalidJson,
    InvalidQuestion,
    QuestionRefused,
    TooLarge,
    UnknownModel,
)
from boardroom.coordinator.http.transcript import exchanges, system
from boardroom.coordinator.response import AskResponse

OWNER: Final = "boardroom"
NO_TOOL_IS_CALLED: Final = "tools: members answer in words; none of the tools offered was called"


@dataclass(frozen=True, slots=True)
class ChatQuestions:
    """A chat request as questions, one for each choice."""

    requests: Sequence[AskRequest]
    context: PromptContext


def parse(body: bytes) -> ChatRequest:
    """Parse a request; raises InvalidJson, and InvalidQuestion with the field."""
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidJson(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidQuestion("the body must be a JSON object")
    for name, harmless in IDLE.items():
        value = fields.pop(name, None)
        if value is not None and not any(
            value == default and isinstance(value, bool) is isinstance(default, bool) for default in harmless
        ):
            raise InvalidQuestion(f"{name}: {orjson.dumps(value).decode()[:80]} is not supported here", field=name)
    try:
        return ChatRequest.model_validate({k: v for k, v in fields.items() if k not in INERT}, strict=True)
    except ValidationError as error:
        nearest = max(error.errors(include_url=False, include_context=False), key=lambda problem: len(problem["loc"]))
        # a content is a text or a list of parts, and pydantic names the alternative in the path
        field = ".".join(str(part) for part in nearest["loc"] if part != "str" and "[" not in str(part))
        raise InvalidQuestion(f"{field}: {nearest['msg']}", field=field) from error


def questions(chat: ChatRequest, roster: Roster) -> ChatQuestions:
    """Turn the request into questions to the board or one of its agents; raises UnknownModel and InvalidQuestion."""
    agent = _agent(chat.model, roster)
    choices = chat.n or 1
    if agent is None and choices > 1:
        raise InvalidQuestion("n: the board gives one answer; ask one agent for several choices", field="n")
    if chat.stream_options is not None and not chat.stream:
        raise InvalidQuestion("stream_options: it goes with stream: true", field="stream_options")
    instructions, turns = system(chat.messages), exchanges(chat.messages)
    if len(instructions) + sum(len(turn.question) + len(turn.answer) for turn in turns) > MAX_MESSAGES_CHARS:
        raise TooLarge(f"messages: they have more than {MAX_MESSAGES_CHARS} characters", field="messages")
    *before, last = turns
    stop = [chat.stop] if isinstance(chat.stop, str) else chat.stop
    parameters = {
        "max_new_tokens": chat.max_completion_tokens or chat.max_tokens,
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "stop": tuple(stop) if stop is not None else None,
    }
    fields: dict[str, Any] = {"user_input": last.question}
    if agent is not None:
        fields |= {"agents": (agent,), "coordination_mode": CoordinationMode.PARALLEL}
    schema = _schema(chat.response_format) if chat.response_format else None
    seeds = [None if chat.seed is None else _seed(chat.seed, choice) for choice in range(choices)]
    try:
        requests = [AskRequest.model_validate(fields | {"parameters": parameters | {"seed": seed}}) for seed in seeds]
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if first["loc"][0] == "user_input":
            text = f"messages: the question in them is longer than {MAX_QUESTION_CHARS} characters"
            raise TooLarge(text, field="messages") from error
        field = str(first["loc"][1])
        raise InvalidQuestion(f"{field}: {first['msg']}", field=field) from error
    notes = (NO_TOOL_IS_CALLED,) if chat.offers_tools else ()
    return ChatQuestions(
        requests, PromptContext(system=instructions, history=tuple(before), response_format=schema, notes=notes)
    )


def completion(chat: ChatRequest, answers: Sequence[AskResponse]) -> bytes:
    """Write the answers as a chat completion; its field `boardroom` names who answered and who did not."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": content(answer, one_agent="/" in chat.model), "refusal": None},
            "logprobs": None,
            "finish_reason": finish_reason(answer),
        }
        for index, answer in enumerate(answers)
    ]
    return orjson.dumps(
        {
            "id": f"chatcmpl-{answers[0].request_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": chat.model,
            "choices": choices,
            "usage": usage(answers),
            "boardroom": attribution(answers),
        }
    )


def content(answer: AskResponse, *, one_agent: bool) -> str:
    """The text of a choice: one agent's text as it is, or the board's reply."""
    answered = [a for a in answer.answers if a.status is AnswerStatus.ANSWERED]
    return (answered[0].text or "") if one_agent and len(answered) == 1 else answer.reply


def finish_reason(answer: AskResponse) -> str:
    """content_filter or length if a text in the content was cut, else stop."""
    answered = [a for a in answer.answers if a.status is AnswerStatus.ANSWERED]
    in_reply = [a for a in answered if a.agent == answer.chair] or answered
    reasons = {a.finish_reason for a in in_reply}
    return next((cut for cut in ("content_filter", "length") if cut in reasons), "stop")


def usage(answers: Sequence[AskResponse]) -> dict[str, Any]:
    """The tokens of all choices."""
    counts: dict[str, Any] = to_builtins(total_usage([answer.usage for answer in answers]))
    return counts


def attribution(answers: Sequence[AskResponse]) -> dict[str, Any]:
    """The members that answered, with weights and engine, and the others with the reason. If an agent gave several
    choices, `answers` has an entry for each in their order, and the other fields cover all of them.
    """
    whole = answers[0]
    if len(answers) > 1:
        whole = replace(
            whole,
            used_lorax=any(response.used_lorax for response in answers),
            execution_time=max(response.execution_time for response in answers),
            answers=[answer for response in answers for answer in response.answers],
            warnings=list(dict.fromkeys(warning for response in answers for warning in response.warnings)),
        )
    body: dict[str, Any] = to_builtins(whole)
    del body["reply"], body["usage"]
    return body


def models(roster: Roster, created: int) -> list[dict[str, Any]]:
    """The cards of all models: the board, and each of its members as BOARD/MEMBER."""
    return [_card(name, created) for name in (roster.board, *(f"{roster.board}/{m.name}" for m in roster.members))]


def model(name: str, roster: Roster, created: int) -> dict[str, Any]:
    """The card of the model with this name; raises UnknownModel."""
    _agent(name, roster)
    return _card(name, created)


def problem_body(problem: ApiError) -> bytes:
    """Write an error in OpenAI's shape; its field `members` says why each member has no answer."""
    error: dict[str, Any] = {
        "message": str(problem),
        "type": _error_type(problem.status),
        "param": problem.field,
        "code": problem.code,
    }
    if problem.members:
        error["members"] = [member.model_dump() for member in problem.members]
    return orjson.dumps({"error": error})


def problem_status(problem: ApiError) -> int:
    """The HTTP status of an error: OpenAI uses 400 for every invalid request."""
    return 400 if isinstance(problem, (InvalidQuestion, QuestionRefused)) else problem.status


def _seed(first: int, choice: int) -> int:
    """The seed of a choice: one more for each, and the least after the greatest."""
    return (first + choice + 2**63) % 2**64 - 2**63


def _card(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": OWNER}


def _schema(response_format: ResponseFormat) -> Mapping[str, Any] | None:
    """The JSON schema that `response_format` demands; raises InvalidQuestion."""
    if response_format.type == "json_schema" and response_format.json_schema is None:
        raise InvalidQuestion("response_format: type json_schema needs json_schema", field="response_format")
    if response_format.type == "text":
        return None
    return response_format.json_schema.schema_ if response_format.json_schema else {"type": "object"}


def _error_type(status: int) -> str:
    if status == 429:  # noqa: PLR2004 (Too Many Requests)
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004 (the server's errors begin)


def _agent(model: str, roster: Roster) -> str | None:
    """The agent that a model name refers to, by name or role in any case; None for the board."""
    board, _, agent = model.partition("/")
    names_and_roles = {name.lower() for m in roster.members for name in (m.name, m.role)}
    if board != roster.board or ("/" in model and agent.lower() not in names_and_roles):
        names = ", ".join(m["id"] for m in models(roster, 0))
        raise UnknownModel(f"there is no model {model!r}; the models are {names}", field="model")
    return agent or None
