"""The HTTP bodies of OpenAI's API that the coordinator supports: POST /v1/chat/completions and GET /v1/models."""

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from boardroom.api.ask import MemberProblem, Usage
from boardroom.api.request_body import RequestBody, nullable

MAX_CHOICES: Final = 8
MAX_MESSAGES: Final = 512
MAX_MESSAGES_CHARS: Final = 262_144
"""Most characters of all messages together. The last one is the question and has its own limit."""

IDLE: Final[dict[str, tuple[object, ...]]] = {
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "store": (False,),
    "modalities": (["text"],),
}
"""Unsupported fields, each with its values besides null that have no effect. Other values are refused."""

MAX_TOOLS: Final = 512
MAX_NAME_CHARS: Final = 256
"""Most characters of a tool's name, which precedes each of its results."""

INERT: Final = frozenset(
    {
        "user",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
        "parallel_tool_calls",
    }
)
"""Fields without effect on an answer."""


def _with_the_rest(schema: dict[str, Any]) -> None:
    """Add the fields that are checked before the model validates."""
    idle = {name: {"enum": [None, *harmless], "description": "Not supported."} for name, harmless in IDLE.items()}
    inert = {name: {"description": "No effect."} for name in sorted(INERT)}
    nullable(schema)
    schema["properties"] |= idle | inert


_OFFERED: Final = "Accepted, and never called: members answer in text. A tool_choice that requires a call is refused."


_CALLED: Final = "Tool calls of an earlier assistant message. Members read them and their results as text."


class ChatPart(RequestBody):
    """A part of a content or of a refusal. Images and audio are not supported."""

    type: Literal["text", "refusal"]
    text: str | None = None
    refusal: str | None = None

    @model_validator(mode="after")
    def _has_its_text(self) -> Self:
        if self.content_text is None:
            raise PydanticCustomError("part", "a part of type {type} needs {type}", {"type": self.type})
        return self

    @property
    def content_text(self) -> str | None:
        return self.text if self.type == "text" else self.refusal


class FunctionCall(RequestBody):
    """A function call of an earlier assistant message."""

    name: str = Field(max_length=MAX_NAME_CHARS)
    arguments: str = ""


class CustomCall(RequestBody):
    """A custom tool call, with free text, of an earlier assistant message."""

    name: str = Field(max_length=MAX_NAME_CHARS)
    input: str = ""


class ToolCall(RequestBody):
    """One tool call of an earlier assistant message. The `tool` message with its id holds the result."""

    model_config = ConfigDict(extra="ignore")

    id: str = ""
    function: FunctionCall | None = None
    custom: CustomCall | None = None

    @model_validator(mode="after")
    def _has_a_call(self) -> Self:
        if self.function is None and self.custom is None:
            raise PydanticCustomError("call", "a call needs function {name, arguments} or custom {name, input}")
        return self

    @property
    def name(self) -> str:
        call = self.function or self.custom
        return call.name if call else "tool"

    @property
    def arguments(self) -> str:
        """The arguments as written: JSON of a function, free text of a custom tool."""
        if self.function is not None:
            return self.function.arguments
        return self.custom.input if self.custom else ""


class ChatMessage(RequestBody):
    """A message. Clients may send back messages that they received, also from other servers."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ChatPart] | None = Field(default=None, description="Only an assistant's message may have none.")
    name: str | None = None
    refusal: str | None = None
    audio: None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=MAX_TOOLS, description=_CALLED)
    tool_call_id: str | None = None
    function_call: FunctionCall | None = Field(default=None, description=_CALLED)
    annotations: list[Any] | None = Field(default=None, description="No effect.")
    reasoning: str | None = Field(default=None, description="No effect.")
    reasoning_content: str | None = Field(default=None, description="No effect.")

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.content is None and self.role != "assistant":
            raise PydanticCustomError("content", "a {role} message needs a content", {"role": self.role})
        return self

    @property
    def text(self) -> str:
        """The content as text, or the refusal."""
        if isinstance(self.content, list):
            return "".join(part.content_text or "" for part in self.content)
        return self.content or self.refusal or ""


class StreamOptions(RequestBody):
    """Options of stream: true."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class JsonSchema(RequestBody):
    """A JSON schema. `strict` and `description` have no effect: LoRAX's answers always follow the schema."""

    model_config = ConfigDict(extra="ignore")

    name: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(RequestBody):
    """The format of every answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(RequestBody):
    """The supported fields of POST /v1/chat/completions."""

    model_config = ConfigDict(json_schema_extra=_with_the_rest)

    model: str = Field(description="The board, or one of its members as BOARD/MEMBER.", examples=["executive"])
    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        description="The last one besides system messages is the user's or a tool's.",
        examples=[[{"role": "user", "content": "Shall we hire?"}]],
    )
    max_tokens: int | None = Field(default=None, ge=1, le=32768)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=32768)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    stop: str | list[str] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    n: int | None = Field(default=None, ge=1, le=MAX_CHOICES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=MAX_TOOLS, description=_OFFERED)
    functions: list[dict[str, Any]] | None = Field(default=None, max_length=MAX_TOOLS, description=_OFFERED)

    @property
    def offers_tools(self) -> bool:
        return bool(self.tools or self.functions)

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class ReplyMessage(BaseModel):
    """The message of an answer."""

    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(BaseModel):
    """One answer."""

    index: int
    message: ReplyMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter"]


class ChatCompletion(BaseModel):
    """The answers. `boardroom` is the response of POST /v1/ask without its reply and usage."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    boardroom: dict[str, Any]


class ModelCard(BaseModel):
    """The board, or one of its members as BOARD/MEMBER."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """The board, and each of its members."""

    object: Literal["list"]
    data: list[ModelCard]


class ChatErrorDetail(BaseModel):
    """What went wrong, in OpenAI's words; `members` says why each had no answer."""

    message: str
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str
    members: list[MemberProblem] | None = None


class ChatErrorResponse(BaseModel):
    """The body of every error of OpenAI's routes."""

    error: ChatErrorDetail
