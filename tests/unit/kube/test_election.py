"""Who leads, and that whoever may not lead any more writes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from boardroom.kube.client import ConflictError, KubeError
from boardroom.kube.election import (
    LEASE_NAME,
    Election,
    FencedKube,
    LeadershipLostError,
    NotLeadingError,
)
from boardroom.kube.kinds import BOARDROOM, LEASE, SERVICE, Object
from boardroom.kube.lease import Terms
from unit.controller.fake_kube import FakeKube

START = datetime(2026, 11, 24, tzinfo=UTC)
KEY = (LEASE, ("system", LEASE_NAME))
TERMS = Terms(duration_seconds=12, renew_seconds=8.0, retry_seconds=2.0)
AWAY = KubeError(0, "Unreachable", "the API server does not answer")


class EnoughError(Exception):
    """The test has seen what it waits for."""


@dataclass
class World:
    """One Lease on an API server of dicts, and a time that passes only while somebody sleeps."""

    kube: FakeKube = field(default_factory=FakeKube)
    seconds: float = 1000.0
    meanwhile: Callable[[], None] = lambda: None
    """What happens whenever somebody sleeps."""

    def candidate(self, identity: str) -> Election:
        return Election(self.kube, "system", identity, lambda: self.seconds, self.now, terms=TERMS, sleep=self.sleep)

    async def leader(self, identity: str) -> Election:
        election = self.candidate(identity)
        await election.acquire()
        return election

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.meanwhile()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    @property
    def spec(self) -> Object:
        spec: Object = self.kube.objects[KEY]["spec"]
        return spec

    def write(self, **spec: object) -> None:
        """Somebody else writes the Lease."""
        self.kube.put(LEASE, self.kube.objects[KEY] | {"spec": self.spec | spec})

    def stop_after(self, seconds: float) -> None:
        end = self.seconds + seconds

        def check() -> None:
            if self.seconds >= end:
                raise EnoughError

        self.meanwhile = check


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_candidate_leads_at_once(world: World) -> None:
    election = await world.leader("a")
    assert election.leads()
    assert world.seconds == 1000.0
    assert world.spec == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 12,
        "acquireTime": "2026-11-24T00:16:40.000000Z",
        "renewTime": "2026-11-24T00:16:40.000000Z",
        "leaseTransitions": 0,
    }


async def test_a_lease_that_nobody_renews_is_taken_when_it_has_run_out_and_not_before(world: World) -> None:
    await world.leader("a")
    second = await world.leader("b")
    assert world.seconds == 1012.0
    assert second.leads()
    assert (world.spec["holderIdentity"], world.spec["leaseTransitions"]) == ("b", 1)


async def test_a_lease_that_is_renewed_is_not_taken(world: World) -> None:
    await world.leader("a")
    world.stop_after(100)
    check = world.meanwhile

    def renewed() -> None:
        world.write(renewTime=f"at {world.seconds}")
        check()

    world.meanwhile = renewed
    with pytest.raises(EnoughError):
        await world.candidate("b").acquire()
    assert world.spec["holderIdentity"] == "a"


async def test_clocks_of_others_don_t_matter(world: World) -> None:
    await world.leader("a")
    world.write(renewTime="1999-01-01T00:00:00.000000Z")
    await world.leader("b")
    assert world.seconds == 1012.0


async def test_a_released_lease_is_taken_at_once(world: World) -> None:
    first = await world.leader("a")
    await first.release()
    assert not first.leads()
    await world.leader("b")
    assert world.seconds == 1000.0


async def test_a_lease_of_another_is_not_released(world: World) -> None:
    first = await world.leader("a")
    world.write(holderIdentity="b")
    await first.release()
    assert world.spec["holderIdentity"] == "b"


async def test_a_candidate_outlasts_an_api_server_that_is_away(world: World) -> None:
    world.kube.failures["get", "Lease"] = AWAY

    def back() -> None:
        if world.seconds >= 1300:
            world.kube.failures.clear()

    world.meanwhile = back
    assert (await world.leader("a")).leads()


async def test_only_one_of_two_that_come_at_once_leads(world: World) -> None:
    world.kube.failures["create", "Lease"] = ConflictError(409, "AlreadyExists", "already exists")
    world.stop_after(2)
    first = world.candidate("a")
    with pytest.raises(EnoughError):
        await first.acquire()
    assert not first.leads()


async def test_a_leader_keeps_its_lease(world: World) -> None:
    election = await world.leader("a")
    acquired = world.spec["acquireTime"]
    world.stop_after(100)
    with pytest.raises(EnoughError):
        await election.keep()
    assert election.leads()
    assert (world.spec["acquireTime"], world.spec["renewTime"]) == (acquired, "2026-11-24T00:18:18.000000Z")
    assert world.spec["leaseTransitions"] == 0


async def test_a_leader_whose_lease_another_took_is_told(world: World) -> None:
    election = await world.leader("a")
    world.write(holderIdentity="b")
    with pytest.raises(LeadershipLostError, match="b has taken the Lease"):
        await election.keep()


async def test_a_leader_that_can_t_renew_gives_up_before_another_may_lead(world: World) -> None:
    election = await world.leader("a")
    world.kube.failures["get", "Lease"] = AWAY
    with pytest.raises(LeadershipLostError, match="not renewed within 8 s"):
        await election.keep()
    assert world.seconds == 1008.0
    assert not election.leads()


async def test_a_renewal_that_somebody_came_before_is_tried_again(world: World) -> None:
    election = await world.leader("a")
    world.kube.failures["apply", "Lease"] = ConflictError(409, "Conflict", "the object has been modified")
    world.stop_after(50)
    check = world.meanwhile

    def mended() -> None:
        if world.seconds >= 1006:
            world.kube.failures.clear()
        check()

    world.meanwhile = mended
    with pytest.raises(EnoughError):
        await election.keep()
    assert election.leads()


async def test_a_leader_that_was_paused_does_not_lead(world: World) -> None:
    election = await world.leader("a")
    world.seconds += 8
    assert not election.leads()


async def test_nothing_is_written_by_who_does_not_lead() -> None:
    kube = FakeKube()
    fenced = FencedKube(kube, lambda: False)
    manifest = {"metadata": {"namespace": "team", "name": "x"}}
    for write in (
        fenced.apply(SERVICE, manifest),
        fenced.apply_status(BOARDROOM, manifest),
        fenced.create(SERVICE, manifest),
        fenced.delete(SERVICE, "team", "x", "uid"),
    ):
        with pytest.raises(NotLeadingError):
            await write
    assert kube.requests == []


async def test_a_leader_writes_and_anybody_reads() -> None:
    kube = FakeKube()
    made = {"metadata": {"namespace": "team", "name": "x"}}
    await FencedKube(kube, lambda: True).apply(SERVICE, made)
    outside = FencedKube(kube, lambda: False)
    found = await outside.get(SERVICE, "team", "x")
    assert [obj async for page in outside.pages(SERVICE, "team") for obj in page.items] == [found]
