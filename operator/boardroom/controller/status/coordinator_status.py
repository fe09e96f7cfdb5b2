"""What coordinators wrote into status, taken back when none of the board has the say any more (docs/decisions/0022)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from boardroom.api.conditions import AgentCondition, BoardCondition
from boardroom.api.meta import COORDINATOR_MANAGER
from boardroom.controller.status.coordinator_leases import Leases
from boardroom.controller.status.expiry import silenced, spoken
from boardroom.controller.watch.cache import Store
from boardroom.kube.client import Kube
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, Kind, Object, key_of


@dataclass(frozen=True)
class Hearsay:
    """Writes in the coordinators' name, but only while no coordinator can."""

    kube: Kube
    store: Store
    leases: Leases
    now: Callable[[], datetime]

    async def stands(self, board: Object, agents: Iterable[Object], *, up: bool) -> bool:
        """Whether what coordinators wrote may hold; where it may not, it is Unknown from now on.

        `up`: whether a coordinator's pod is. Raises ConflictError where one wrote just now.
        """
        if not spoken(board) or not await self.leases.abandoned(key_of(board), up=up):
            return True
        await self._silence(BOARDROOM, board, BoardCondition.LATENCY_HIGH)
        for agent in agents:
            await self._silence(BOARDAGENT, agent, AgentCondition.ADAPTER_READY)
        return False

    async def _silence(self, kind: Kind, live: Object, type_: BoardCondition | AgentCondition) -> None:
        status = silenced(live, type_, self.now())
        if status is None:
            return
        # With the version, a coordinator that came back and wrote first is a conflict.
        named = {name: live["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        manifest: Object = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": named, "status": status}
        self.store.put(kind, await self.kube.apply_status(kind, manifest, manager=COORDINATOR_MANAGER))
