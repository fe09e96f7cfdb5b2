"""Condition values as conditions of a status, and whether a status differs from the live one."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from boardroom.api.conditions import Condition, condition, keep_transition_time
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.kube.kinds import Object


def stalled(ready: ConditionValue) -> ConditionValue:
    """The value of Stalled, by which kstatus tells an object that needs an edit from one that is in progress."""
    return ConditionValue(
        status="True" if ready.stalled else "False",
        reason=ready.reason if ready.stalled else "NotStalled",
        message=ready.message if ready.stalled else "nothing waits for an edit",
    )


def to_conditions(
    values: Mapping[str, ConditionValue], generation: int, before: Iterable[Condition], now: datetime
) -> list[Object]:
    """The values as conditions of that generation; lastTransitionTime moves only where the status does."""
    old = tuple(before)
    return [
        keep_transition_time(
            condition(type_, value.status, value.reason, value.message, generation=generation, now=now), old
        ).to_object()
        for type_, value in values.items()
    ]


def differs(live: Object | None, ours: Object) -> bool:
    """Whether a live status lacks or contradicts a field of ours; fields of other managers are ignored."""
    status = live or {}
    held = {c["type"]: c for c in status.get("conditions") or ()}
    if any(held.get(c["type"]) != c for c in ours["conditions"]):
        return True
    return any(_differs(status.get(name), value) for name, value in ours.items() if name != "conditions")


def _differs(live: object, ours: object) -> bool:
    """Compares objects field by field, as another manager may own fields in them; a list has one owner as a whole."""
    if isinstance(ours, dict):
        held = live if isinstance(live, dict) else {}
        return any(_differs(held.get(name), value) for name, value in ours.items())
    return live != ours and bool(live or ours)
