"""Conditions, as kstatus, Argo CD and `kubectl wait` read them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field

from boardroom.api.model import Model


class BoardCondition(StrEnum):
    """Condition types of a Boardroom."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    LORAX_READY = "LoraxReady"
    COORDINATOR_READY = "CoordinatorReady"
    AGENTS_READY = "AgentsReady"
    UP_TO_DATE = "UpToDate"
    LATENCY_HIGH = "LatencyHigh"
    OPERATOR_CONFLICT = "OperatorConflict"


class AgentCondition(StrEnum):
    """Condition types of a BoardAgent."""

    READY = "Ready"
    STALLED = "Stalled"
    ACCEPTED = "Accepted"
    ADAPTER_READY = "AdapterReady"


PREVIOUS: Final = "PreviousVersion"
"""Reason of AdapterReady=True: the version in spec does not serve yet, and the previous one still does."""

COORDINATOR_NOT_READY: Final = "CoordinatorNotReady"
"""Reason of Unknown: the coordinator that reports the condition is not ready."""

Status = Literal["True", "False", "Unknown"]


class Condition(Model):
    """One observed aspect of an object."""

    type: str = Field(max_length=316, description="What the condition is about, for example Ready.")
    status: Status = Field(description="True, False or Unknown.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="The cause in one CamelCase word. Programs may rely on it.",
    )
    message: str = Field(max_length=32768, description="The cause and its remedy, for people.")
    observed_generation: int | None = Field(
        default=None, ge=0, description="metadata.generation that the condition was computed from."
    )
    last_transition_time: datetime = Field(description="When status last changed.")


def condition(
    type_: str, status: Status, reason: str, message: str, *, generation: int | None = None, now: datetime | None = None
) -> Condition:
    """A condition as of `now` (UTC, whole seconds, like metav1.Time)."""
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message[:32768],
        observed_generation=generation,
        last_transition_time=moment,
    )


def keep_transition_time(new: Condition, existing: Iterable[Condition]) -> Condition:
    """`new`, with its predecessor's transition time if the status did not change."""
    for old in existing:
        if old.type == new.type and old.status == new.status:
            return new.model_copy(update={"last_transition_time": old.last_transition_time})
    return new


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((c for c in conditions if c.type == type_), None)


def read(objects: Iterable[dict[str, Any]] | None) -> tuple[Condition, ...]:
    """The conditions of a live object's status."""
    return tuple(Condition.model_validate(o) for o in objects or ())
