"""The BoardAgent kind: one member of a board, with its role, adapter and prompt."""

from typing import Annotated

from pydantic import Field, StringConstraints

from boardroom.api.adapter import AdapterSpec
from boardroom.api.model import ATOMIC, SET, Decimal, Model, ObjectName, rule, rules

Domain = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class BoardroomRef(Model):
    """The board of the agent, in the same namespace."""

    name: ObjectName = Field(description="Name of the Boardroom.")


class GenerationLimits(Model):
    """Upper limits of a question's own parameters. A question that asks for more gets the limit and a warning."""

    max_new_tokens: int | None = Field(default=None, ge=1, le=32768, description="Longest answer in tokens.")
    temperature: Decimal | None = Field(default=None, description="Highest temperature, for example '0.7'.")


class GenerationSpec(Model):
    """How the member's answers are generated. A question's own parameters take precedence."""

    max_new_tokens: int = Field(default=256, ge=1, le=32768, description="Longest answer in tokens.")
    temperature: Decimal | None = Field(
        default=None, description="Sampling temperature, for example '0.7'; '0' is greedy. Unset: greedy."
    )
    top_p: Annotated[Decimal, StringConstraints(pattern=r"^(0\.[0-9]*[1-9][0-9]*|1(\.0+)?)$")] | None = Field(
        default=None, description="Nucleus sampling, above 0 and at most 1, for example '0.9'."
    )
    stop: tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...] = Field(
        default=(),
        max_length=4,
        description="Texts that end the answer; LoRAX takes at most 4.",
        json_schema_extra=ATOMIC,
    )
    seed: int | None = Field(default=None, ge=0, description="Seed of the sampling, for repeatable answers.")
    limits: GenerationLimits = Field(
        default_factory=GenerationLimits, description="Upper limits of a question's own parameters."
    )


class BoardAgentSpec(Model):
    """One member of a board."""

    boardroom_ref: BoardroomRef = Field(
        description="The agent's board.",
        json_schema_extra=rules(
            rule(
                "self.name == oldSelf.name",
                "boardroomRef is immutable: delete the BoardAgent and create it for the other board",
            )
        ),
    )
    role: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$",
        max_length=63,
        description="The member's role, for example CEO. Unique in its board, case-insensitively.",
    )
    domains: tuple[Domain, ...] = Field(
        default=(),
        max_length=32,
        description="Domains. A question about one of them goes to this member.",
        json_schema_extra=SET,
    )
    system_prompt: str = Field(
        default="", max_length=32768, description="System prompt of every question to the member."
    )
    adapter: AdapterSpec = Field(default_factory=AdapterSpec, description="The member's LoRA adapter.")
    generation: GenerationSpec = Field(
        default_factory=GenerationSpec, description="How the member's answers are generated."
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="Deadline of this member's answer in seconds, within the question's own deadline.",
    )
    weight: int = Field(default=1, ge=0, le=1000, description="Consensus: weight of this member's vote.")
    veto: bool = Field(
        default=False, description="Consensus: true: a proposal that this member opposes is not adopted."
    )

    @property
    def adapter_path(self) -> str | None:
        """Path relative to the adapters' mount. None: the member has no adapter, or its adapter is fetched."""
        if self.adapter.none or self.adapter.source:
            return None
        return self.adapter.path or f"{self.role.lower()}_lora_adapter"

    @property
    def adapter_key(self) -> str | None:
        """The adapter that LoRAX loads for the member. Members with the same one share it. None: the base model."""
        return self.adapter.source.key if self.adapter.source else self.adapter_path


PRINTER_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0, "Whether the member can answer."),
    ("Status", "string", '.status.conditions[?(@.type=="Ready")].reason', 0, "Reason of Ready."),
    ("Board", "string", ".spec.boardroomRef.name", 0, "Its board."),
    ("Role", "string", ".spec.role", 0, "Its role."),
    ("Adapter", "string", ".status.adapter.path", 1, "Where LoRAX reads its adapter."),
    ("Digest", "string", ".status.adapter.digest", 1, "Digest of the adapter's files."),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1, "Message of Ready."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since creation."),
)
