"""Status, reason and message of a condition, before it has a type, a generation and a time."""

from dataclasses import dataclass

from boardroom.api.conditions import Status


@dataclass(frozen=True, kw_only=True)
class ConditionValue:
    """The value of one condition.

    `stalled`: only an edit helps. `changing`: it is True, and a newer state is under way.
    """

    status: Status
    reason: str
    message: str
    stalled: bool = False
    changing: bool = False

    @property
    def is_true(self) -> bool:
        """Whether the status is True."""
        return self.status == "True"
