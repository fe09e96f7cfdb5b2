"""Kubernetes Events about boards and agents: one for each transition of a condition, under a named reason."""

import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from boardroom.api.conditions import AgentCondition, BoardCondition
from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.controller.apply.children import Change
from boardroom.controller.plan import preload
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.kube.errors import KubeError
from boardroom.kube.kinds import DEPLOYMENT, EVENT, Kind, Object
from boardroom.kube.protocol import Kube

_log = logging.getLogger(__name__)
_NOTE_MAX: Final = 1024
"""Longest note of an Event that the API server accepts, in bytes."""
_NAME_MAX: Final = 230
"""Characters of the object's name in the Event's name, which has 17 more and must stay a valid name."""
_QUIET: Final = timedelta(minutes=5)
_REMEMBERED: Final = 4096
_SILENT: Final = frozenset({"Creating", "InvalidSpec", "Suspended"})
"""Reasons of LoraxReady and CoordinatorReady without an Event, or with one for the whole board."""
_EXPECTED: Final = frozenset({"Starting", "Updating", "Disabled"})
"""Reasons of LoraxReady=False and CoordinatorReady=False that give a Normal Event, not a Warning."""

_WORKLOADS: Final[dict[str, str]] = {
    BoardCondition.LORAX_READY: "Lorax",
    BoardCondition.COORDINATOR_READY: "Coordinator",
}
_ROLLOUTS: Final[dict[str, str]] = {
    "WaitingForTurn": "RolloutWaiting",
    "RollingOut": "RolloutStarted",
    "UpToDate": "RolloutDone",
    "FieldsContested": "FieldsContested",
}
_BEHIND: Final = frozenset({"WaitingForTurn", "RollingOut"})
_SUMMARIES: Final[dict[str, str]] = {BoardCondition.READY: "BoardReady", BoardCondition.STALLED: "BoardStalled"}

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """The content of a Kubernetes Event about an object."""

    type: EventType
    reason: str
    note: str


def board_events(before: Iterable[Object], after: Iterable[Object]) -> list[Event]:
    """The Events for the transitions between two lists of a board's conditions."""
    old = list(before)
    behind = any(
        c["type"] == BoardCondition.UP_TO_DATE and c["reason"] in ("WaitingForTurn", "RollingOut") for c in old
    )
    events = [_board_event(condition, behind) for condition in _changed(old, after)]
    return [event for event in events if event is not None]


def _board_event(condition: Object, behind: bool) -> Event | None:
    is_true, reason = condition["status"] == "True", condition["reason"]
    if (workload := _WORKLOADS.get(condition["type"])) and reason not in _SILENT:
        return _event(is_true or reason in _EXPECTED, f"{workload}{reason}", condition)
    if condition["type"] == BoardCondition.UP_TO_DATE and (behind or not is_true):
        return _event(normal=reason != "FieldsContested", reason=_ROLLOUTS[reason], condition=condition)
    if is_true and (named := _SUMMARIES.get(condition["type"])):
        return _event(named == "BoardReady", "BoardSuspended" if reason == "Suspended" else named, condition)
    return None


def preload_events(blueprint: Blueprint, changes: Iterable[Change]) -> list[Event]:
    """The Event that LoRAX's pod is replaced because its preloaded adapters change."""
    if not blueprint.spec.lorax.preloads or blueprint.spec.suspend:
        return []
    note = "spec.lorax.adapterPolicy is Preloaded, so LoRAX's pod is replaced: adapters"
    texts = [
        preload.change(preload.on(change.before), preload.on(change.after))
        for change in changes
        if change.kind is DEPLOYMENT
    ]
    return [Event(type="Normal", reason="AdaptersPreloaded", note=f"{note} {text}") for text in texts if text]


def reconcile_failed(error: Exception) -> Event:
    """The Event for a reconcile that failed before it could write a status."""
    note = f"the operator could not reconcile this board ({type(error).__name__}: {error}) and tries again"
    return Event(type="Warning", reason="ReconcileFailed", note=f"{note}; its log has the trace: please report it")


def agent_events(before: Iterable[Object], after: Iterable[Object]) -> list[Event]:
    """The Events for the transitions of an agent's conditions: it is refused, or accepted after a refusal."""
    old = list(before)
    refused_before = any(c["type"] == AgentCondition.ACCEPTED and c["status"] == "False" for c in old)
    changed = [c for c in _changed(old, after) if c["type"] == AgentCondition.ACCEPTED]
    return [
        _event(c["status"] == "True", "AgentAccepted" if c["status"] == "True" else "AgentRefused", c)
        for c in changed
        if c["status"] == "False" or refused_before
    ]


def _changed(before: Iterable[Object], after: Iterable[Object]) -> list[Object]:
    old = {c["type"]: (c["status"], c["reason"]) for c in before}
    return [c for c in after if old.get(c["type"]) != (c["status"], c["reason"])]


def _event(normal: bool, reason: str, condition: Object) -> Event:
    return Event(type="Normal" if normal else "Warning", reason=reason, note=condition["message"])


def _name(of: str) -> str:
    return f"{of[:_NAME_MAX].rstrip('-.')}.{uuid.uuid4().hex[:16]}"


@dataclass
class Recorder:
    """Writes each Event at most once in five minutes. A lost Event is logged and never fails a reconcile."""

    kube: Kube
    now: Callable[[], datetime]
    instance: str
    _recent: OrderedDict[tuple[str, str, str], datetime] = field(default_factory=OrderedDict)

    async def record(self, kind: Kind, regarding: Object, events: Iterable[Event]) -> None:
        """Write Events about one object."""
        for event in events:
            if self._is_new(regarding["metadata"]["uid"], event):
                await self._write(kind, regarding["metadata"], event)

    def _is_new(self, uid: str, event: Event) -> bool:
        key, now = (uid, event.reason, event.note), self.now()
        last = self._recent.pop(key, None)
        self._recent[key] = now
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return last is None or now - last >= _QUIET

    async def _write(self, kind: Kind, metadata: Object, event: Event) -> None:
        manifest: Object = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": _name(metadata["name"]), "namespace": metadata["namespace"]},
            "eventTime": self.now().isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": f"boardroom.dev/{OPERATOR_MANAGER}",
            "reportingInstance": self.instance,
            "action": "Reconcile",
            "reason": event.reason,
            "note": event.note.encode()[:_NOTE_MAX].decode(errors="ignore"),
            "type": event.type,
            "regarding": {
                "apiVersion": kind.api_version,
                "kind": kind.name,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }
        try:
            await self.kube.create(EVENT, manifest)
        except KubeError as error:
            _log.warning("event %s of %s %s was lost: %s", event.reason, kind, metadata["name"], error)
