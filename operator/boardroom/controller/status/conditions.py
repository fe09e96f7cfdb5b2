"""Findings as conditions on the wire."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from boardroom.api.conditions import Condition, carried, condition
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.kube.kinds import Object


def stalled(ready: ConditionValue) -> ConditionValue:
    """The abnormal condition by which kstatus tells what waits for somebody from what is on its way."""
    return ConditionValue(
        status="True" if ready.stalled else "False",
        reason=ready.reason if ready.stalled else "NotStalled",
        message=ready.message if ready.stalled else "nothing waits for an edit",
    )


def to_conditions(
    condition_values: Mapping[str, ConditionValue], generation: int, before: Iterable[Condition], now: datetime
) -> list[Object]:
    """The findings as conditions of that generation; a time moves only where the status does."""
    old = tuple(before)
    return [
        carried(
            condition(type_, value.status, value.reason, value.message, generation=generation, now=now), old
        ).to_object()
        for type_, value in condition_values.items()
    ]


def differs(live: Object | None, ours: Object) -> bool:
    """Whether a live status lacks or contradicts anything of ours; what others own there does not count."""
    status = live or {}
    held = {c["type"]: c for c in status.get("conditions") or ()}
    if any(held.get(c["type"]) != c for c in ours["conditions"]):
        return True
    return any(_differs(status.get(name), value) for name, value in ours.items() if name != "conditions")


def _differs(live: object, ours: object) -> bool:
    """Objects are compared field by field, for another writer may own fields beside ours; lists are ours whole."""
    if isinstance(ours, dict):
        held = live if isinstance(live, dict) else {}
        return any(_differs(held.get(name), value) for name, value in ours.items())
    return live != ours and bool(live or ours)
