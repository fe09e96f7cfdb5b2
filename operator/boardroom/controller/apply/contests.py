"""Contests: another field manager overwrites our fields repeatedly. We report it, and reapply at growing intervals.

The other writer may be a policy engine, an autoscaler or a GitOps controller that sets the same field. Without a pause
both sides overwrite each other hundreds of times a minute. Each write is a new generation, which may replace pods.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.controller.apply.fingerprint import ATOMIC
from boardroom.kube.kinds import Key, Kind, Object

ROUNDS: Final = 3
"""So often a field is restored at once: users edit by hand, and a controller that starts may write a few times."""
FIRST_SECONDS: Final = 30.0
LAST_SECONDS: Final = 600.0
"""Between two tries from then on; doubled with each, up to LAST_SECONDS."""
QUIET_SECONDS: Final = 120.0
"""A contest ends after this time without another overwrite."""

Path = tuple[str, ...]
ObjectId = tuple[Kind, Key]
"""Kind, namespace and name."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """An ongoing contest: its message, and the seconds until the next reconcile."""

    message: str
    retry_seconds: float


@dataclass
class _Overwrites:
    at: float
    """When the object was last found overwritten."""
    count: int = 1
    last_applied: Object | None = None
    """The object as our last write left it; None if we have not written since it was overwritten."""
    pause_seconds: float = 0.0
    """The pause before our next write of the object."""
    message: str = ""


@dataclass
class Contests:
    """Counts by object how often another writer has overwritten our fields."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    _overwrites: dict[ObjectId, _Overwrites] = field(default_factory=dict)

    def applied(self, object_id: ObjectId, last_applied: Object) -> None:
        """We have applied the object, with this result."""
        if (overwrites := self._overwrites.get(object_id)) is not None:
            overwrites.last_applied = last_applied

    def is_suspected(self, object_id: ObjectId) -> bool:
        """Whether the object was overwritten before and applied since: the managers of its fields are needed."""
        overwrites = self._overwrites.get(object_id)
        return overwrites is not None and overwrites.last_applied is not None

    def overwritten(self, object_id: ObjectId, manifest: Object, live: Object) -> None:
        """The object differs from our last apply of the same manifest. A suspected one needs its managedFields here."""
        now, overwrites = self.clock(), self._overwrites.get(object_id)
        if overwrites is None or now - overwrites.at > LAST_SECONDS + QUIET_SECONDS:
            self._overwrites[object_id] = _Overwrites(now)
            return
        fields = (
            sorted(set(_fields(manifest, overwrites.last_applied, live))) if overwrites.last_applied is not None else []
        )
        if not fields:  # counted already, or no field of ours was overwritten
            return
        overwrites.last_applied, overwrites.at, overwrites.count = None, now, overwrites.count + 1
        if overwrites.count > ROUNDS:
            overwrites.pause_seconds = min(LAST_SECONDS, max(FIRST_SECONDS, 2 * overwrites.pause_seconds))
            overwrites.message = _message(object_id, fields, live)

    def wait(self, object_id: ObjectId) -> float:
        """Seconds until the object may be applied again; 0: now."""
        overwrites = self._overwrites.get(object_id)
        return max(0.0, overwrites.at + overwrites.pause_seconds - self.clock()) if overwrites else 0.0

    def ongoing(self, object_id: ObjectId) -> Contest | None:
        """The ongoing contest about an object, if any."""
        overwrites = self._overwrites.get(object_id)
        if overwrites is None or not overwrites.pause_seconds:
            return None
        remaining = overwrites.at + overwrites.pause_seconds + QUIET_SECONDS - self.clock()
        if remaining <= 0:
            return None
        return Contest(message=overwrites.message, retry_seconds=self.wait(object_id) or remaining)

    def forget(self, object_id: ObjectId) -> None:
        """The object is deleted, or will be."""
        self._overwrites.pop(object_id, None)


def _message(object_id: ObjectId, fields: list[Path], live: Object) -> str:
    kind, (_, name) = object_id
    writers = sorted({manager for path in fields for manager in _managers(path, live)})
    writer_text = f"field manager {' and '.join(writers)}" if writers else "a writer that no field manager names"
    fields_text = f"{kind} {name}: {', '.join(map(_shown, fields))}"
    remedy = (
        "have the other writer (a policy, an autoscaler, a GitOps tool) leave it alone, and set it in the Boardroom"
    )
    return (
        f"{fields_text} is set otherwise by {writer_text} whenever this operator sets it, which is tried ever less "
        f"often: {remedy}"
    )


def _shown(path: Path) -> str:
    return ".".join(path).replace(".[", "[")


def _fields(ours: object, last_applied: object, live: object, at: Path = ()) -> Iterator[Path]:
    """The fields of ours that differ between our last apply and the live object."""
    if isinstance(ours, dict) and not (at and at[-1] in ATOMIC):
        for name, value in ours.items():
            yield from _fields(value, _value(last_applied, name), _value(live, name), (*at, name))
    elif isinstance(ours, list) and ours and all(isinstance(item, dict) and "name" in item for item in ours):
        for item in ours:
            name = item["name"]
            yield from _fields(item, _item(last_applied, name), _item(live, name), (*at, f"[{name}]"))
    elif last_applied != live:
        yield at


def _value(obj: object, name: str) -> object:
    return obj.get(name) if isinstance(obj, dict) else None


def _item(values: object, name: object) -> object:
    items = values if isinstance(values, list) else ()
    return next((item for item in items if isinstance(item, dict) and item.get("name") == name), None)


def _managers(path: Path, live: Object) -> Iterator[str]:
    """The other field managers that own a field."""
    for entry in live["metadata"].get("managedFields") or ():
        if entry["manager"] != OPERATOR_MANAGER and _owns(entry.get("fieldsV1", {}), path):
            yield entry["manager"]


def _owns(fields: Any, path: Path) -> bool:
    """Whether managed fields contain the field or a part of it."""
    for name in path:
        key = f"k:{json.dumps({'name': name[1:-1]}, separators=(',', ':'))}" if name.startswith("[") else f"f:{name}"
        if key not in fields:
            return False
        fields = fields[key]
    return True
