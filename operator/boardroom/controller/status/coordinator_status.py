"""Status that coordinators wrote, which expires once none of them holds the board's Lease (docs/decisions/0022)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from boardroom.api.conditions import AgentCondition, BoardCondition
from boardroom.api.meta import COORDINATOR_MANAGER
from boardroom.controller.status.coordinator_leases import CoordinatorLeases
from boardroom.controller.status.expiry import expired_status, has_coordinator_status
from boardroom.controller.watch.cache import Store
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, Kind, Object, key_of
from boardroom.kube.protocol import Kube


@dataclass(frozen=True)
class CoordinatorStatus:
    """Writes as the coordinators' field manager, and only while no coordinator can."""

    kube: Kube
    store: Store
    leases: CoordinatorLeases
    now: Callable[[], datetime]

    async def is_valid(self, board: Object, agents: Iterable[Object], *, up: bool) -> bool:
        """Whether the coordinators' status is valid; if it is not, its conditions are set to Unknown.

        `up`: whether a coordinator's pod is Ready. Raises ConflictError if a coordinator wrote at the same time.
        """
        if not has_coordinator_status(board) or not await self.leases.is_abandoned(key_of(board), up=up):
            return True
        await self._expire(BOARDROOM, board, BoardCondition.LATENCY_HIGH)
        for agent in agents:
            await self._expire(BOARDAGENT, agent, AgentCondition.ADAPTER_READY)
        return False

    async def _expire(self, kind: Kind, live: Object, type_: BoardCondition | AgentCondition) -> None:
        status = expired_status(live, type_, self.now())
        if status is None:
            return
        # With the resourceVersion: a coordinator that came back and wrote first makes this a conflict.
        metadata = {name: live["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        manifest: Object = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "status": status}
        self.store.put(kind, await self.kube.apply_status(kind, manifest, manager=COORDINATOR_MANAGER))
