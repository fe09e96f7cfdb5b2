"""The request bodies of LoRAX's native routes. Unknown fields are ignored, as in LoRAX."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
I32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
U64_MAX: Final = 2**64 - 1
Unsigned = Annotated[int, msgspec.Meta(ge=0)]
"""usize and u64. msgspec's bounds end at 2**63 - 1, so each struct calls `fit` for the upper bound."""


def fit(*numbers: int | None) -> None:
    """Raise ValueError, which msgspec reports as its own, for a number of more than 64 bits."""
    if any(number is not None and number > U64_MAX for number in numbers):
        raise ValueError(f"Expected `int` <= {U64_MAX}")


class MergedAdapters(msgspec.Struct):
    """`merged_adapters`."""

    ids: list[str]
    weights: list[float] = []
    merge_strategy: str | None = None
    density: float = 0.0
    majority_sign_method: str | None = None


FormatType = Literal["Text", "text", "JsonObject", "json_object", "JsonSchema", "json_schema"]

ANY_OBJECT: Final[Mapping[str, Any]] = {
    "additionalProperties": {"type": ["object", "string", "integer", "number", "boolean", "null"]},
    "title": "ArbitraryJsonModel",
    "type": "object",
}
"""The schema of a `response_format` without one."""


class ResponseFormat(msgspec.Struct):
    """`response_format` of the native routes: LoRAX parses the type, and follows the schema whatever the type is."""

    type: FormatType
    schema: Any = msgspec.field(default_factory=lambda: dict(ANY_OBJECT))


class Parameters(msgspec.Struct):
    """`parameters`."""

    adapter_id: str | None = None
    adapter_source: str | None = None
    merged_adapters: MergedAdapters | None = None
    api_token: str | None = None
    best_of: Unsigned | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    top_k: I32 | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: U32 | None = None
    ignore_eos_token: bool = False
    return_full_text: bool | None = None
    stop: list[str] = []
    truncate: Unsigned | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    return_k_alternatives: I32 | None = None
    seed: Unsigned | None = None
    response_format: ResponseFormat | None = None

    def __post_init__(self) -> None:
        fit(self.best_of, self.truncate, self.seed)


class GenerateRequest(msgspec.Struct):
    """POST /generate and /generate_stream."""

    inputs: str
    parameters: Parameters = msgspec.field(default_factory=Parameters)


class CompatGenerateRequest(GenerateRequest):
    """POST /: the same, with a switch between whole answers and streams."""

    stream: bool = False
