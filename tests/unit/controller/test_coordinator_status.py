"""Status that a coordinator wrote expires once none can hold the Lease, and never before."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from boardroom.controller.status.coordinator_leases import CoordinatorLeases
from boardroom.controller.status.coordinator_status import CoordinatorStatus
from boardroom.controller.watch.cache import Store
from boardroom.kube.errors import ConflictError
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, LEASE, Object
from unit.controller.objects import agent_object, board_object, condition
from unit.kube.fake_kube import FakeKube

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = ("team", "executive")
SAID = [condition("LatencyHigh", "False", "AverageWithinLimit")]
PROVED = [condition("AdapterReady", "True", "AdapterProved")]


@dataclass
class World:
    kube: FakeKube = field(default_factory=FakeKube)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.coordinator_status = CoordinatorStatus(
            self.kube, Store(), CoordinatorLeases(self.kube, lambda: self.seconds), lambda: NOW
        )
        self.kube.put(BOARDROOM, board_object(status={"observedGeneration": 1, "conditions": SAID}))
        self.kube.put(BOARDAGENT, agent_object("CEO", conditions=PROVED))

    def lease(self, holder: str = "pod_1") -> None:
        """Taken, renewed or released."""
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 12 if holder else 1}
        self.kube.put(LEASE, {"metadata": {"name": "executive-coordinator", "namespace": "team"}, "spec": spec})

    def live(self) -> tuple[Object, Object]:
        return self.kube.objects[BOARDROOM, KEY], self.kube.objects[BOARDAGENT, ("team", "ceo")]

    async def is_valid(self, *, up: bool, after: float = 0.0) -> bool:
        self.seconds += after
        board, agent = self.live()
        return await self.coordinator_status.is_valid(board, [agent], up=up)

    def words(self) -> list[tuple[str, str, str]]:
        return [(c["type"], c["status"], c["reason"]) for obj in self.live() for c in obj["status"]["conditions"]]


EXPIRED = [
    ("LatencyHigh", "Unknown", "CoordinatorNotReady"),
    ("AdapterReady", "Unknown", "CoordinatorNotReady"),
]


@pytest.fixture
def world() -> World:
    return World()


async def test_the_status_of_a_coordinator_that_is_gone_is_valid_until_its_lease_expires(world: World) -> None:
    world.lease()
    assert await world.is_valid(up=False)
    assert await world.is_valid(up=False, after=11)
    before = world.words()
    assert not await world.is_valid(up=False, after=1)
    assert ("AdapterReady", "True", "AdapterProved") in before
    assert world.words() == EXPIRED


async def test_a_released_lease_expires_the_status_at_once(world: World) -> None:
    world.lease("")
    assert not await world.is_valid(up=False)
    assert world.words() == EXPIRED


async def test_an_expired_status_is_written_once(world: World) -> None:
    assert not await world.is_valid(up=False)
    world.kube.requests.clear()
    assert not await world.is_valid(up=False)
    assert world.kube.writes == []


async def test_a_coordinator_that_renews_keeps_its_status_valid_even_if_its_pod_is_not_ready(world: World) -> None:
    for _ in range(5):
        world.lease()
        assert await world.is_valid(up=False, after=10)
    assert world.words() != EXPIRED


async def test_the_status_of_a_coordinator_that_is_up_and_hangs_expires(world: World) -> None:
    world.lease()
    assert await world.is_valid(up=True)
    assert not await world.is_valid(up=True, after=61)
    assert world.words() == EXPIRED
    world.lease()
    assert await world.is_valid(up=True, after=1)


async def test_the_lease_of_a_coordinator_that_is_up_is_read_seldom(world: World) -> None:
    for _ in range(60):
        world.lease()
        assert await world.is_valid(up=True, after=1)
    assert [r for r in world.kube.requests if r[1] == "Lease"] == [("get", "Lease", "executive-coordinator")]


async def test_a_coordinator_that_is_up_and_acquires_its_first_lease_is_valid(world: World) -> None:
    assert await world.is_valid(up=True)
    world.lease("")
    assert await world.is_valid(up=True, after=61)


async def test_no_lease_is_read_if_no_coordinator_has_written_status(world: World) -> None:
    world.kube.put(BOARDROOM, board_object())
    assert await world.is_valid(up=False)
    assert world.kube.requests == []


async def test_a_coordinator_that_writes_at_the_same_time_is_a_conflict(world: World) -> None:
    world.kube.failures["apply_status", "BoardAgent"] = ConflictError(409, "the object has been modified")
    with pytest.raises(ConflictError):
        await world.is_valid(up=False)
    assert ("AdapterReady", "True", "AdapterProved") in world.words()


async def test_facts_about_the_adapters_files_stay(world: World) -> None:
    agent = agent_object("CEO", conditions=PROVED)
    agent["status"]["adapter"] = {"digest": "sha256:1"}
    world.kube.put(BOARDAGENT, agent)
    await world.is_valid(up=False)
    assert world.live()[1]["status"]["adapter"] == {"digest": "sha256:1"}
