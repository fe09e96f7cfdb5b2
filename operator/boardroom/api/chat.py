"""OpenAI's bodies, as far as the coordinator honours them: POST /v1/chat/completions and GET /v1/models."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from boardroom.api.ask import MemberProblem, Usage

MAX_CHOICES: Final = 8
MAX_MESSAGES: Final = 512
MAX_MESSAGES_CHARS: Final = 262_144
"""Of all messages together; the last one is the question and has the bound of every question."""

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
"""Fields that we can't honour, and the values besides null that ask for nothing; any other value is refused."""

MAX_TOOLS: Final = 512

INERT: Final = frozenset(
    {"user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier", "parallel_tool_calls"}
)
"""Fields that have no part in an answer."""


def _with_the_rest(schema: dict[str, Any]) -> None:
    """The fields that are looked at before the model is."""
    idle = {name: {"enum": [None, *harmless], "description": "Not supported."} for name, harmless in IDLE.items()}
    inert = {name: {"description": "Has no part in an answer."} for name in sorted(INERT)}
    schema["properties"] |= idle | inert


_OFFERED: Final = (
    "May be offered, and are never called: members answer in words. A tool_choice that demands a call is refused."
)


class ChatPart(BaseModel):
    """A piece of a content; no images and no audio."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A message that a client may send back as it got it: what is null or empty in it says nothing."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ChatPart]
    name: str | None = None
    refusal: None = None
    audio: None = None
    tool_calls: list[Any] | None = Field(default=None, max_length=0)
    function_call: None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """It goes with stream: true."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class JsonSchema(BaseModel):
    """`strict` and `description` say nothing to LoRAX: its answers follow the schema anyway."""

    model_config = ConfigDict(extra="ignore")

    name: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """What every answer must be."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(BaseModel):
    """POST /v1/chat/completions, as far as it is honoured."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_with_the_rest)

    model: str = Field(description="The board, or one of its members as BOARD/MEMBER.", examples=["executive"])
    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        description="The last beside system messages is the user's.",
        examples=[[{"role": "user", "content": "Shall we hire?"}]],
    )
    max_tokens: int | None = Field(default=None, ge=1, le=32768)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=32768)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    stop: str | list[str] | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**63)
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
    """What was answered."""

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
    """The answers. `boardroom` is the whole answer of POST /v1/ask but its reply and usage."""

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
