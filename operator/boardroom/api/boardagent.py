"""The BoardAgent kind: one member of a board, with its role, its adapter and its prompt."""

from typing import Annotated

from pydantic import Field, StringConstraints

from boardroom.api.adapter import AdapterSpec
from boardroom.api.model import ATOMIC, SET, Decimal, Model, ObjectName, rule, rules

Domain = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class BoardroomRef(Model):
    """The board that the agent sits on, in the same namespace."""

    name: ObjectName = Field(description="Name of the Boardroom.")


class GenerationLimits(Model):
    """What no question gets more of; one that asks for more gets this much and a warning."""

    max_new_tokens: int | None = Field(default=None, ge=1, le=32768, description="Longest answer in tokens.")
    temperature: Decimal | None = Field(default=None, description="Highest temperature, for example '0.7'.")


class GenerationSpec(Model):
    """How the member's answers are generated; a question's own parameters win."""

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
        default_factory=GenerationLimits, description="What a question's own parameters can't exceed."
    )


class BoardAgentSpec(Model):
    """One member of a board."""

    boardroom_ref: BoardroomRef = Field(
        description="The board that the agent sits on.",
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
        description="The member's role, for example CEO; unique in its board without regard to case.",
    )
    domains: tuple[Domain, ...] = Field(
        default=(), max_length=32, description="Domains whose questions go to this member.", json_schema_extra=SET
    )
    system_prompt: str = Field(default="", max_length=32768, description="System prompt of every question to it.")
    adapter: AdapterSpec = Field(default_factory=AdapterSpec, description="The LoRA adapter the member speaks through.")
    generation: GenerationSpec = Field(default_factory=GenerationSpec, description="How its answers are generated.")
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="How long this member may take, within the question's own deadline.",
    )
    weight: int = Field(default=1, ge=0, le=1000, description="Consensus: what this member's vote counts for.")
    veto: bool = Field(
        default=False, description="Consensus: true means that nothing is adopted which this member opposes."
    )

    @property
    def adapter_path(self) -> str | None:
        """Path relative to the adapters' mount; None when the base model speaks or the adapter is fetched."""
        if self.adapter.none or self.adapter.source:
            return None
        return self.adapter.path or f"{self.role.lower()}_lora_adapter"

    @property
    def loads(self) -> str | None:
        """What LoRAX loads for the member: equal ones take one place on the GPU. None is the base model."""
        return self.adapter.source.key if self.adapter.source else self.adapter_path


PRINTER_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0, "Whether the member can answer."),
    ("Status", "string", '.status.conditions[?(@.type=="Ready")].reason', 0, "Why, in one word."),
    ("Board", "string", ".spec.boardroomRef.name", 0, "The board it sits on."),
    ("Role", "string", ".spec.role", 0, "Its role."),
    ("Adapter", "string", ".status.adapter.path", 1, "Where LoRAX reads its adapter."),
    ("Digest", "string", ".status.adapter.digest", 1, "Digest of the adapter's files."),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1, "Why, in words."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Since when it exists."),
)
