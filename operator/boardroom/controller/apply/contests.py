"""Fields of ours that another writer sets otherwise again and again: it is named, and written over ever less often.

A policy engine, an autoscaler or a GitOps controller that owns the same field writes whenever we do, and we whenever
it does: hundreds of generations a minute, each of which may replace pods.
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
"""So often a field is put back at once: people edit by hand, and a controller that starts may write a few times."""
FIRST_SECONDS: Final = 30.0
LAST_SECONDS: Final = 600.0
"""Between tries from then on, doubled with each."""
QUIET_SECONDS: Final = 120.0
"""A contest is over when nobody has written for so long after a try."""

Path = tuple[str, ...]
Of = tuple[Kind, Key]
"""An object by its kind, namespace and name."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """One that goes on: what to say of it, and when to look again."""

    message: str
    retry_seconds: float


@dataclass
class _Rounds:
    at: float
    """When it was last found otherwise than we left it."""
    count: int = 1
    left: Object | None = None
    """What came of our last write; None where we have not written since."""
    pause: float = 0.0
    """Seconds that it is let be for."""
    message: str = ""


@dataclass
class Contests:
    """Counts, for each object, how often somebody else has written over what we wrote."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    _rounds: dict[Of, _Rounds] = field(default_factory=dict)

    def written(self, of: Of, left: Object) -> None:
        """We have written it, and this came of it."""
        if (rounds := self._rounds.get(of)) is not None:
            rounds.left = left

    def suspected(self, of: Of) -> bool:
        """Whether it was found otherwise before, and written since: whoever wrote now is to be named."""
        rounds = self._rounds.get(of)
        return rounds is not None and rounds.left is not None

    def lost(self, of: Of, manifest: Object, live: Object) -> None:
        """It is not as we left it, though we want what we wanted. One that is suspected has its managed fields here."""
        now, rounds = self.clock(), self._rounds.get(of)
        if rounds is None or now - rounds.at > LAST_SECONDS + QUIET_SECONDS:
            self._rounds[of] = _Rounds(now)
            return
        fields = sorted(set(_fields(manifest, rounds.left, live))) if rounds.left is not None else []
        if not fields:  # found already, or what was written is none of ours
            return
        rounds.left, rounds.at, rounds.count = None, now, rounds.count + 1
        if rounds.count > ROUNDS:
            rounds.pause = min(LAST_SECONDS, max(FIRST_SECONDS, 2 * rounds.pause))
            rounds.message = _message(of, fields, live)

    def wait(self, of: Of) -> float:
        """Seconds until the object may be written over; 0 where that is now."""
        rounds = self._rounds.get(of)
        return max(0.0, rounds.at + rounds.pause - self.clock()) if rounds else 0.0

    def goes_on(self, of: Of) -> Contest | None:
        """The contest about an object, if there is one."""
        rounds = self._rounds.get(of)
        left = rounds.at + rounds.pause + QUIET_SECONDS - self.clock() if rounds and rounds.pause else 0.0
        return Contest(message=rounds.message, retry_seconds=self.wait(of) or left) if rounds and left > 0 else None

    def forget(self, of: Of) -> None:
        """The object is gone, or is to go."""
        self._rounds.pop(of, None)


def _message(of: Of, fields: list[Path], live: Object) -> str:
    kind, (_, name) = of
    writers = sorted({manager for path in fields for manager in _managers(path, live)})
    named = f"field manager {' and '.join(writers)}" if writers else "a writer that no field manager names"
    what = f"{kind} {name}: {', '.join(map(_shown, fields))}"
    remedy = (
        "have the other writer (a policy, an autoscaler, a GitOps tool) leave it alone, and set it in the Boardroom"
    )
    return (
        f"{what} is set otherwise by {named} whenever this operator sets it, which is tried ever less often: {remedy}"
    )


def _shown(path: Path) -> str:
    return ".".join(path).replace(".[", "[")


def _fields(ours: object, left: object, live: object, at: Path = ()) -> Iterator[Path]:
    """The fields of ours that differ between what we left and what is."""
    if isinstance(ours, dict) and not (at and at[-1] in ATOMIC):
        for name, value in ours.items():
            yield from _fields(value, _value(left, name), _value(live, name), (*at, name))
    elif isinstance(ours, list) and ours and all(isinstance(item, dict) and "name" in item for item in ours):
        for item in ours:
            name = item["name"]
            yield from _fields(item, _item(left, name), _item(live, name), (*at, f"[{name}]"))
    elif left != live:
        yield at


def _value(of: object, name: str) -> object:
    return of.get(name) if isinstance(of, dict) else None


def _item(of: object, name: object) -> object:
    items = of if isinstance(of, list) else ()
    return next((item for item in items if isinstance(item, dict) and item.get("name") == name), None)


def _managers(path: Path, live: Object) -> Iterator[str]:
    """Who else owns a field, as the API server keeps it."""
    for entry in live["metadata"].get("managedFields") or ():
        if entry["manager"] != OPERATOR_MANAGER and _owns(entry.get("fieldsV1", {}), path):
            yield entry["manager"]


def _owns(fields: Any, path: Path) -> bool:
    """Whether managed fields hold the field, or something in it."""
    for name in path:
        key = f"k:{json.dumps({'name': name[1:-1]}, separators=(',', ':'))}" if name.startswith("[") else f"f:{name}"
        if key not in fields:
            return False
        fields = fields[key]
    return True
