"""One observed aspect before it becomes a condition."""

from dataclasses import dataclass

from boardroom.api.conditions import Status


@dataclass(frozen=True, kw_only=True)
class ConditionValue:
    """What an aspect looks like.

    `stalled`: it will not heal by itself. `changing`: it holds, but a newer state is on its way.
    """

    status: Status
    reason: str
    message: str
    stalled: bool = False
    changing: bool = False

    @property
    def is_true(self) -> bool:
        """Whether the aspect is as it should be."""
        return self.status == "True"
