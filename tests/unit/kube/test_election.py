"""One candidate leads at a time, and a process that may not lead writes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from boardroom.kube.election import LeaderElector, LeadershipLostError
from boardroom.kube.errors import ConflictError, KubeError
from boardroom.kube.fenced import FencedKube, NotLeadingError
from boardroom.kube.kinds import BOARDROOM, LEASE, SERVICE, Object
from boardroom.kube.lease import LeaseTiming
from boardroom.kube.protocol import Selection
from unit.kube.fake_kube import FakeKube

START = datetime(2026, 11, 24, tzinfo=UTC)
NAME = "some-operator"
KEY = (LEASE, ("system", NAME))
TIMING = LeaseTiming(duration=12, renew_deadline=8.0, retry_period=2.0)
AWAY = KubeError(0, "the API server does not answer")


class EnoughError(Exception):
    """The test has seen what it waits for."""


@dataclass
class World:
    """One Lease on an API server of dicts, and a time that passes only while somebody sleeps."""

    kube: FakeKube = field(default_factory=FakeKube)
    seconds: float = 1000.0
    meanwhile: Callable[[], None] = lambda: None
    """What happens whenever somebody sleeps."""

    def candidate(self, identity: str, **options: Any) -> LeaderElector:
        return LeaderElector(
            self.kube, "system", NAME, identity, lambda: self.seconds, self.now, TIMING, sleep=self.sleep, **options
        )

    async def leader(self, identity: str) -> LeaderElector:
        elector = self.candidate(identity)
        await elector.acquire()
        return elector

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
    elector = await world.leader("a")
    assert elector.is_leader()
    assert world.seconds == 1000.0
    assert world.spec == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 12,
        "acquireTime": "2026-11-24T00:16:40.000000Z",
        "renewTime": "2026-11-24T00:16:40.000000Z",
        "leaseTransitions": 0,
    }


async def test_a_lease_that_nobody_renews_is_acquired_when_it_expires_and_not_before(world: World) -> None:
    await world.leader("a")
    second = await world.leader("b")
    assert world.seconds == 1012.0
    assert second.is_leader()
    assert (world.spec["holderIdentity"], world.spec["leaseTransitions"]) == ("b", 1)


async def test_a_lease_that_is_renewed_is_not_acquired(world: World) -> None:
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


async def test_a_released_lease_is_acquired_at_once(world: World) -> None:
    first = await world.leader("a")
    await first.release()
    assert not first.is_leader()
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
    assert (await world.leader("a")).is_leader()


async def test_only_one_of_two_that_come_at_once_leads(world: World) -> None:
    world.kube.failures["create", "Lease"] = ConflictError(409, "already exists")
    world.stop_after(2)
    first = world.candidate("a")
    with pytest.raises(EnoughError):
        await first.acquire()
    assert not first.is_leader()


async def test_a_leader_keeps_its_lease(world: World) -> None:
    elector = await world.leader("a")
    acquired = world.spec["acquireTime"]
    world.stop_after(100)
    with pytest.raises(EnoughError):
        await elector.renew()
    assert elector.is_leader()
    assert (world.spec["acquireTime"], world.spec["renewTime"]) == (acquired, "2026-11-24T00:18:18.000000Z")
    assert world.spec["leaseTransitions"] == 0


async def test_a_leader_whose_lease_another_acquired_has_lost(world: World) -> None:
    elector = await world.leader("a")
    world.write(holderIdentity="b")
    with pytest.raises(LeadershipLostError, match="b has acquired the Lease"):
        await elector.renew()


async def test_a_leader_that_can_t_renew_ends_before_another_may_lead(world: World) -> None:
    elector = await world.leader("a")
    world.kube.failures["get", "Lease"] = AWAY
    with pytest.raises(LeadershipLostError, match="not renewed within 8 s"):
        await elector.renew()
    assert world.seconds == 1008.0
    assert not elector.is_leader()


async def test_a_renewal_that_conflicts_is_retried(world: World) -> None:
    elector = await world.leader("a")
    world.kube.failures["apply", "Lease"] = ConflictError(409, "the object has been modified")
    world.stop_after(50)
    check = world.meanwhile

    def mended() -> None:
        if world.seconds >= 1006:
            world.kube.failures.clear()
        check()

    world.meanwhile = mended
    with pytest.raises(EnoughError):
        await elector.renew()
    assert elector.is_leader()


async def test_a_leader_that_was_paused_does_not_lead(world: World) -> None:
    elector = await world.leader("a")
    world.seconds += 8
    assert not elector.is_leader()


async def test_a_process_that_does_not_lead_writes_nothing() -> None:
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


async def test_a_leader_writes_and_every_process_reads() -> None:
    kube = FakeKube()
    made = {"metadata": {"namespace": "team", "name": "x"}}
    await FencedKube(kube, lambda: True).apply(SERVICE, made)
    outside = FencedKube(kube, lambda: False)
    found = await outside.get(SERVICE, "team", "x")
    assert [obj async for page in outside.pages(SERVICE, Selection(namespace="team")) for obj in page.items] == [found]


async def test_a_leader_may_lead_on_while_the_api_server_is_away(world: World) -> None:
    elector = world.candidate("a", lead_while_unreachable=True)
    assert await elector.try_acquire_or_renew() == "a"
    world.kube.away = True
    world.seconds += 100
    assert (await elector.try_acquire_or_renew(), elector.is_leader()) == ("a", False)


async def test_a_leader_that_leads_on_steps_back_once_it_reads_of_another(world: World) -> None:
    elector = world.candidate("a", lead_while_unreachable=True)
    await elector.try_acquire_or_renew()
    world.write(holderIdentity="b")
    assert await elector.try_acquire_or_renew() == "b"


async def test_a_candidate_that_leads_on_elects_itself_only_through_the_api_server(world: World) -> None:
    world.kube.away = True
    assert await world.candidate("a", lead_while_unreachable=True).try_acquire_or_renew() == ""


async def test_an_attempt_takes_no_longer_than_it_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.kube, "get", hang)
    with pytest.raises(TimeoutError):
        await world.candidate("a", request_seconds=0.01).try_acquire_or_renew()


@pytest.mark.parametrize(("override", "expected"), [("", "b"), ("a", "a")])
async def test_an_override_decides_whether_another_still_holds_the_lease(
    world: World, override: str, expected: str
) -> None:
    await world.leader("a")
    seen: list[tuple[str, str]] = []

    def holder(named: str, holder: str) -> str:
        seen.append((named, holder))
        return override

    elector = world.candidate("b", holder_override=holder)
    assert (await elector.try_acquire_or_renew(), seen) == (expected, [("a", "a")])


async def test_no_override_keeps_a_leader_from_renewing(world: World) -> None:
    elector = world.candidate("a", holder_override=lambda named, _: named)
    await elector.try_acquire_or_renew()
    acquired = world.spec["renewTime"]
    world.seconds += 2
    assert (await elector.try_acquire_or_renew(), world.spec["renewTime"] == acquired) == ("a", False)
