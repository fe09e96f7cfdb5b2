"""Writes the status of boards and agents where it differs, and records an Event for each transition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from boardroom.api.conditions import read
from boardroom.api.membership import Verdict
from boardroom.controller.events import Recorder, agent_events, board_events
from boardroom.controller.roster import Roster
from boardroom.controller.status.agent import Member, agent_status, rejected_agent_status
from boardroom.controller.status.board import invalid_status
from boardroom.controller.status.conditions import differs
from boardroom.controller.watch.cache import Store
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, Kind, Object
from boardroom.kube.protocol import Kube


@dataclass(frozen=True, kw_only=True)
class StatusWriter:
    """The operator's part of every status. Each method may raise KubeError."""

    kube: Kube
    store: Store
    recorder: Recorder
    now: Callable[[], datetime]

    async def write(self, kind: Kind, live: Object, status: Object) -> None:
        """Apply the status of a live object, unless the object already has it."""
        if not differs(live.get("status"), status):
            return
        metadata = live["metadata"]
        manifest: Object = {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            # The uid keeps the status of a deleted object off its successor of the same name.
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
            "status": status,
        }
        self.store.put(kind, await self.kube.apply_status(kind, manifest))
        before = live.get("status", {}).get("conditions") or ()
        events = board_events if kind is BOARDROOM else agent_events
        await self.recorder.record(kind, live, events(before, status["conditions"]))

    async def write_agents(self, roster: Roster, accepted: Sequence[Member]) -> None:
        """Write the status of a board's agents; `accepted` are its members as they are ready now."""
        for member in (*accepted, *roster.rejected):
            live = self.store.get(BOARDAGENT, member.agent.metadata.namespace, member.agent.metadata.name)
            if live is not None:
                await self.write(BOARDAGENT, live, agent_status(member, self.now()))
        for agent, verdict in roster.unreadable:
            await self.reject_agent(agent, verdict)

    async def reject_agent(self, agent: Object, verdict: Verdict) -> None:
        """Write why an agent that has no board, or can't be read, is not accepted."""
        before = read(agent.get("status", {}).get("conditions"))
        status = rejected_agent_status(verdict, agent["metadata"]["generation"], before, self.now())
        await self.write(BOARDAGENT, agent, status)

    async def report_invalid(self, live: Object, problem: str) -> Sequence[Object]:
        """Write that a board's spec can't be read; returns the board's conditions."""
        before = read(live.get("status", {}).get("conditions"))
        status = invalid_status(problem, live["metadata"]["generation"], before, self.now())
        await self.write(BOARDROOM, live, status)
        conditions: Sequence[Object] = status["conditions"]
        return conditions
