"""The coordinator's part of status: its observation of LoRAX and of every member's adapter. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from boardroom.api.conditions import PREVIOUS, AgentCondition, BoardCondition, Condition, Status, condition, find
from boardroom.api.meta import API_VERSION, BOARDAGENT, BOARDROOM
from boardroom.api.status import AdapterStatus, LoraxMetrics, LoraxStatus
from boardroom.coordinator.backends.adapter_state import DOWNLOADING, AdapterPhase, AdapterState
from boardroom.coordinator.backends.adapter_summary import AdapterAggregate, AdapterSummary
from boardroom.coordinator.board.roster import Member, Roster

_NO_LORAX: Final = "this board runs without LoRAX"


class LoraxHealth(StrEnum):
    """absent: the board has no LoRAX. unchecked: no health check has ended yet. up: some server answers."""

    ABSENT = "absent"
    UNCHECKED = "unchecked"
    UP = "up"
    DOWN = "down"

    @classmethod
    def of(cls, running: bool | None) -> Self:
        """The health of a board with LoRAX, by its last health check; None before the first."""
        return cls.UNCHECKED if running is None else cls.UP if running else cls.DOWN


@dataclass(frozen=True, kw_only=True)
class Observation:
    """LoRAX as of the last health check."""

    lorax: LoraxHealth
    reason: str = ""
    """Why no server answers; empty if one does."""
    metrics: LoraxMetrics | None = None
    standard: bool = False
    """Whether there is standard inference."""

    @property
    def running(self) -> bool:
        """Whether some LoRAX server answers."""
        return self.lorax is LoraxHealth.UP

    @property
    def not_running_reason(self) -> str:
        """Why no LoRAX server answers."""
        return _NO_LORAX if self.lorax is LoraxHealth.ABSENT else self.reason

    @property
    def standard_only(self) -> bool:
        """Whether the board has standard inference and no LoRAX."""
        return self.standard and self.lorax is LoraxHealth.ABSENT

    @property
    def answers(self) -> bool:
        """Whether some engine answers."""
        return self.running or self.standard


def lorax_status(roster: Roster, adapters: AdapterSummary, seen: Observation, now: datetime) -> LoraxStatus:
    """The coordinator's part of status.lorax."""
    paths = roster.adapter_ids
    return LoraxStatus(
        running=seen.running,
        total_adapters=len(paths),
        loaded_adapters=len(paths & adapters.ready()),
        metrics=seen.metrics,
        last_probe_time=now.replace(microsecond=0),
    )


def latency_high(roster: Roster, seen: Observation) -> Condition:
    """The condition LatencyHigh. Its message has no figure that moves; status.lorax.metrics has those."""
    limit = roster.latency_warning_ms
    average = seen.metrics.average_latency_ms if seen.metrics else None
    facts: tuple[Status, str, str]
    if not seen.running:
        facts = "Unknown", "LoraxNotRunning", seen.not_running_reason
    elif average is None:
        facts = "False", "NoTraffic", "no question reached LoRAX in the last 60 s"
    elif average > limit:
        remedy = "ask fewer members at once, ask for fewer tokens, or use a faster GPU"
        text = f"the average of the last 60 s is above spec.lorax.latencyWarningMs ({limit} ms): {remedy}"
        facts = "True", "AverageAboveLimit", text
    else:
        facts = "False", "AverageWithinLimit", f"the average of the last 60 s is within {limit} ms"
    return condition(BoardCondition.LATENCY_HIGH, *facts, generation=roster.observed_generation)


def adapter_ready(member: Member, aggregate: AdapterAggregate | None, seen: Observation) -> Condition:
    """The condition AdapterReady: True only if the adapter gave tokens since LoRAX started, on at least one server."""
    return condition(
        AgentCondition.ADAPTER_READY, *_adapter_facts(member, aggregate, seen), generation=member.observed_generation
    )


def _adapter_facts(member: Member, aggregate: AdapterAggregate | None, seen: Observation) -> tuple[Status, str, str]:
    if seen.standard_only:
        return "True", "StandardInference", "there is no LoRAX: standard inference answers, without the adapter"
    if aggregate is None:
        return "True", "NoAdapter", "the base model answers, with this member's prompt"
    state = aggregate.best
    if state.refusal is not None:
        reason = state.files.problem if state.files else None
        return "Unknown" if reason in (None, DOWNLOADING) else "False", reason or DOWNLOADING, state.refusal
    if state.phase is AdapterPhase.READY:
        return _ready_facts(member, aggregate)
    return _unverified_facts(state, seen)


def _unverified_facts(state: AdapterState, seen: Observation) -> tuple[Status, str, str]:
    if state.phase is AdapterPhase.FAILED:
        return "False", state.reason, f"LoRAX: {state.cause}"
    waits = f"LoRAX has not answered through {state.path} yet"
    return "Unknown", "NotProved", waits if seen.running else seen.not_running_reason


def _ready_facts(member: Member, aggregate: AdapterAggregate) -> tuple[Status, str, str]:
    state = aggregate.best
    if member.pending_reason:
        return "True", PREVIOUS, f"the version before answers, through {state.path}: {member.pending_reason}"
    text = f"LoRAX answered through {state.path}"
    text += f", on {aggregate.ready} of {aggregate.servers} servers" if aggregate.servers > 1 else ""
    if state.replaced:
        text += ", but its files changed since it loaded them, and it does not read them again: use a new path"
    elif state.files and state.files.problem:
        text += f" and goes on until LoRAX drops what it has loaded, for its files are gone: {state.files.message}"
    return "True", "AdapterProved", text


def adapter_status(member: Member, aggregate: AdapterAggregate | None) -> AdapterStatus | None:
    """status.adapter of a member; None if the base model serves it.

    `load_ms` stays that of the files' first load: LoRAX doesn't tell what it loads, and a probe of a loaded adapter may
    wait as long for the GPU (a new coordinator's first wave, a busy server).
    """
    if aggregate is None:
        return None
    state = aggregate.best
    files = state.files
    live = member.status.adapter
    standing = live.load_ms if live and files and live.digest == files.digest else None
    return AdapterStatus(
        source=member.origin,
        path=state.path if state.path and state.path.startswith("/") else None,
        revision=member.revision,
        size_bytes=files.size_bytes if files else None,
        digest=files.digest if files else None,
        rank=files.rank if files else None,
        base_model=files.base_model if files else None,
        last_probe_time=state.last_probe.replace(microsecond=0) if state.last_probe else None,
        load_ms=state.load_ms if standing is None else standing,
    )


def board_object(roster: Roster, lorax: LoraxStatus, conditions: Sequence[Condition]) -> dict[str, Any]:
    """The Boardroom to apply. With its uid, a board that is made later under the same name is left alone."""
    status = {"lorax": lorax.to_object(), "conditions": [c.to_object() for c in conditions]}
    return _object(BOARDROOM, roster.board, roster.namespace, roster.uid, status)


def agent_object(
    member: Member, namespace: str, adapter: AdapterStatus | None, conditions: Sequence[Condition]
) -> dict[str, Any]:
    """The BoardAgent to apply; `adapter` is left out if it is None."""
    status: dict[str, Any] = {"conditions": [c.to_object() for c in conditions]}
    if adapter is not None:
        status["adapter"] = adapter.to_object()
    return _object(BOARDAGENT, member.name, namespace, member.uid, status)


def comparable(status: dict[str, Any]) -> dict[str, Any]:
    """A status without what moves by itself: two of the same meaning need no write."""
    return {
        "lorax": {
            k: v for k, v in status.get("lorax", {}).items() if k not in ("lastProbeTime", "effective", "replicas")
        },
        "adapter": {k: v for k, v in status.get("adapter", {}).items() if k != "lastProbeTime"},
        "conditions": [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in status.get("conditions", ())],
    }


def is_urgent(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether the difference between two meanings should not wait for the ten seconds: LoRAX or an adapter turned."""
    return new["lorax"].get("running") != old["lorax"].get("running") or _verdicts(new) != _verdicts(old)


def owned(conditions: Iterable[Condition], type_: str) -> list[dict[str, Any]]:
    """The live condition of that type, as an object."""
    live = find(conditions, type_)
    return [live.to_object()] if live else []


def high_latency_event(roster: Roster, lorax: LoraxStatus, now: datetime) -> dict[str, Any]:
    """The Event of type Warning that is written once for each time that latency becomes high."""
    average = lorax.metrics.average_latency_ms if lorax.metrics else None
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{roster.board}.", "namespace": roster.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": BOARDROOM,
            "name": roster.board,
            "namespace": roster.namespace,
            "uid": roster.uid,
        },
        "type": "Warning",
        "reason": "HighLatency",
        "message": f"LoRAX took {average} ms on average over the last 60 s; "
        f"spec.lorax.latencyWarningMs is {roster.latency_warning_ms}",
        "source": {"component": "boardroom-coordinator"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def _verdicts(part: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (c["type"], c["status"], c["reason"]) for c in part["conditions"] if c["type"] == AgentCondition.ADAPTER_READY
    ]


def _object(kind: str, name: str, namespace: str, uid: str, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": uid},
        "status": status,
    }
