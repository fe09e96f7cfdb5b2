"""Several coordinators of one board: one leads, nobody sends while it loads adapters, and another takes over."""

import asyncio
import contextlib
import shutil
import subprocess
import sys
import time

import httpx
import pytest

from boardroom.coordinator.backends.adapter_state import AdapterPhase
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.peers.leader import MARGIN_SECONDS
from boardroom.coordinator.peers.membership import Peers
from boardroom.coordinator.peers.protocol import GRANT_SECONDS, OutcomeReport
from boardroom.engine.errors import EngineError, GenerationFailed, Unreachable
from boardroom.kube.kinds import LEASE
from boardroom.simulator.faults import Fault
from boardroom.simulator.router.engine import Engine
from component.coordinator.standing_board import NAMES, ROLES, UNLOADABLE, Board, agent, try_again, until
from component.coordinator.standing_fleet import simulated_servers
from component.coordinator.standing_peers import LEASE_KEY, Peer, lease_holder, set_addresses, standing_peers
from component.coordinator.test_hazards import BASE_SIGNATURE, CLO, request_for
from unit.kube.fake_kube import FakeKube


def probes(engine: Engine) -> int:
    return len([r for r in engine.usage.since(0)["requests"] if r["request_id"].startswith("probe-")])


async def test_a_follower_answers_by_what_the_leader_proved_and_loads_nothing(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        first = await stand.start("first")
        await first.wait_ready(5)
        before = probes(servers.engines["a"])
        second = await stand.start("second")
        await second.wait_ready(5)
        answer = await second.answer()
        health = (await second.client.get("/v1/health")).json()
        shown = [(await one.client.get(f"{one.probes}/metrics/lorax")).text for one in (first, second)]
        loads = probes(servers.engines["a"]) - before
        who = (first.peers.is_leader, second.peers.is_leader, stand.holder)
    assert who == (True, False, first.peers.identity)
    assert answer["agents_involved"] == NAMES
    assert {a["adapter"]["digest"] is not None for a in answer["answers"]} == {True}
    assert loads == 0
    assert "lorax_request_success{" in shown[0]
    assert shown[1] == "# The coordinator that leads shows LoRAX's metrics.\n"  # else sums would count LoRAX twice
    assert (health["ready"], health["system_health"]["lorax"]["loaded_adapters"]) == (True, 5)


async def test_nobody_is_answered_by_the_base_model_through_any_of_them(board: Board) -> None:
    """With the race always lost (docs/lorax.md#stale-adapter-race): while the leader loads, followers hold too."""
    board.write(*(agent(role, tokens=24) for role in (*ROLES, "CLO")))
    board.make_adapters("CLO")
    texts: list[str] = []
    slow = Fault(kind="slow-adapter", adapter=f"*{CLO}", seconds=10)
    async with (
        simulated_servers(board, "a", stale_ready_probability=1.0, faults=(slow, UNLOADABLE)) as servers,
        standing_peers(board, servers.endpoints["a"]) as stand,
    ):
        first, second = await stand.start("first"), await stand.start("second")
        clo = str(board.adapter("CLO"))
        await until(lambda: first.backend.registry[clo].phase is AdapterPhase.FAILED)
        await second.wait_ready(5)
        evicting = asyncio.create_task(evict(first, clo, 6))

        async def keep_asking(peer: Peer, role: str) -> None:
            while not evicting.done():
                texts.append((await peer.answer(agents=[role]))["answers"][0]["text"])
                await asyncio.sleep(0.01)

        asked = [keep_asking(peer, role) for role in ROLES for peer in (first, second)]
        await asyncio.gather(evicting, *asked)
    assert [text for text in texts if BASE_SIGNATURE in text] == []
    assert len(texts) >= 20


async def evict(leader: Peer, clo: str, rounds: int) -> None:
    """Again and again the leader tries the adapter that can't be loaded: each time LoRAX evicts good ones."""
    for _ in range(rounds):
        await try_again(leader.backend, clo)
        await asyncio.sleep(0.02)


async def test_a_wave_waits_for_a_follower_that_is_cut_off_until_its_grant_has_run_out(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        first, second = await stand.start("first"), await stand.start("second")
        await second.wait_ready(5)
        await second.peers._jobs.stop()
        cut_at = time.monotonic()
        async with first.backend.admission.wave():
            waited = time.monotonic() - cut_at
            still_granted = second.backend.admission.is_open
            held = await second.ask(timeout=0.3)
    assert not still_granted
    assert 0 < waited <= GRANT_SECONDS + 2
    assert held.status_code == 503


async def test_a_follower_that_is_cut_off_sends_nothing_and_says_why(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        first, second = await stand.start("first"), await stand.start("second")
        await second.wait_ready(5)
        second.kube.away = True
        set_addresses(stand.cluster)
        first.peers._addresses.objects.clear()
        await until(lambda: second.coordinator.pool and second.coordinator.pool.cut_off)
        before = len(servers.asked("a"))
        response = await second.ask(timeout=0.5)
        after = len(servers.asked("a"))
    reasons = {m["reason"] for m in response.json()["error"]["members"]}
    assert (response.status_code, after - before) == (503, 0)
    assert all("the coordinator that leads, can't be reached (HTTP 403" in reason for reason in reasons)


async def test_a_leader_that_stops_is_followed_at_once_and_answers_go_on(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        await stand.start("first")
        second = await stand.start("second")
        await second.wait_ready(5)
        asking = asyncio.create_task(ask_until_led(second))
        await stand.stop("first")
        answers = await asking
    assert [a["agents_involved"] for a in answers] == [NAMES] * len(answers)


async def test_a_leader_that_dies_is_followed_and_the_new_one_begins_with_a_wave(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        await stand.start("first")
        second = await stand.start("second")
        await second.wait_ready(5)
        before = probes(servers.engines["a"])
        asking = asyncio.create_task(ask_until_led(second))
        await stand.kill("first")
        answers = await asking
        after = probes(servers.engines["a"])
        holder = stand.holder
    assert holder == second.peers.identity
    assert [a["agents_involved"] for a in answers] == [NAMES] * len(answers)
    assert after - before >= 5


async def ask_until_led(peer: Peer) -> list[dict[str, object]]:
    answers = [await peer.answer()]
    while not peer.peers.is_leader:
        answers.append(await peer.answer())
    return [*answers, await peer.answer()]


async def test_while_the_api_server_is_away_the_leader_leads_on_and_its_followers_follow(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        first, second = await stand.start("first"), await stand.start("second")
        await second.wait_ready(5)
        first.kube.away = second.kube.away = True
        await asyncio.sleep(1.5 * stand.timing.duration)
        answers = [await peer.answer() for peer in (first, second)]
        is_confirmed_leader = first.peers.is_confirmed_leader
        second.kube.away = False
        await asyncio.sleep(2 * stand.timing.retry_period)
        leads = (first.peers.is_leader, second.peers.is_leader)
    assert [a["agents_involved"] for a in answers] == [NAMES, NAMES]
    assert (is_confirmed_leader, leads) == (False, (True, False))


async def test_a_leader_that_finds_another_in_the_lease_follows_it(board: Board) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        first = await stand.start("first")
        await first.wait_ready(5)
        lease = first.kube.objects[LEASE_KEY]
        first.kube.put(LEASE, lease | {"spec": lease["spec"] | {"holderIdentity": "10.9.9.9:9090_other"}})
        await until(lambda: not first.peers.is_leader)
        assert (first.backend.admission.is_open, first.peers.leader_identity) == (False, "10.9.9.9:9090_other")


async def test_what_a_follower_meets_is_told_to_the_leader(board: Board) -> None:
    """An adapter that has left LoRAX and can't be loaded again, found out by a follower's question."""
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        first, second = await stand.start("first"), await stand.start("second")
        await second.wait_ready(5)
        cfo = str(board.adapter("CFO"))
        shutil.rmtree(cfo)
        missing = str(board.adapter("CLO"))
        while cfo in servers.engines["a"].shard.loaded:  # each that is missing evicts one that is there
            with contextlib.suppress(EngineError):
                await second.backend.route.engine.generate(request_for(missing, "evict"), 20)
        await second.ask()
        await until(lambda: first.backend.registry[cfo].phase is AdapterPhase.FAILED)
        await until(lambda: second.backend.registry[cfo].phase is AdapterPhase.FAILED)


async def test_questions_that_fail_together_are_told_as_one_failure_of_each_kind(board: Board) -> None:
    """A forward pass that fails takes every question along; told one by one they would not fit the leader's door."""
    cfo, gone = str(board.adapter("CFO")), Unreachable("no connection")
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        await stand.start("first")
        second = await stand.start("second")
        await second.wait_ready(5)
        backend = second.backend
        for _ in range(4000):
            backend.failed(cfo, GenerationFailed("CUDA error: " + 500 * "x"), backend.registry.target(cfo))
            backend.failed(None, gone, backend.registry.target(None))
        assert backend.news is not None
        told = OutcomeReport.of(backend, backend.news).failures
    assert [(path, failure.code) for path, failure in told] == [(cfo, "generation"), (None, "unreachable")]


@pytest.mark.parametrize("known", [True, False])
async def test_only_coordinators_of_the_board_are_listened_to(board: Board, known: bool) -> None:
    async with simulated_servers(board, "a") as servers, standing_peers(board, servers.endpoints["a"]) as stand:
        if not known:
            set_addresses(stand.cluster, "10.0.0.1")
        first = await stand.start("first")
        await first.wait_ready(5)
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.post(f"{first.probes}/peers", json={})
    assert response.status_code == (400 if known else 403)


@pytest.mark.parametrize(("age", "leads"), [(0.0, False), (GRANT_SECONDS + MARGIN_SECONDS + 0.1, True)])
async def test_a_process_takes_the_lease_of_its_pods_former_one_when_that_ones_grants_have_run_out(
    age: float, leads: bool
) -> None:
    kube = FakeKube()
    former = Peers(kube, "executive", "default", "10.0.0.1:9090", pool=None, changes=Changes())
    await former._try_acquire_or_renew()
    peers = Peers(kube, "executive", "default", "10.0.0.1:9090", pool=None, changes=Changes(), age=age)
    await peers._try_acquire_or_renew()
    assert (peers.is_leader, lease_holder(kube.cluster) == peers.identity) == (leads, leads)


async def test_a_process_does_not_take_another_pods_lease_however_old_it_is() -> None:
    kube = FakeKube()
    other = Peers(kube, "executive", "default", "10.0.0.2:9090", pool=None, changes=Changes())
    await other._try_acquire_or_renew()
    peers = Peers(kube, "executive", "default", "10.0.0.1:9090", pool=None, changes=Changes(), age=1000.0)
    await peers._try_acquire_or_renew()
    assert (peers.is_leader, lease_holder(kube.cluster)) == (False, other.identity)


def test_a_process_knows_its_age() -> None:
    command = "import time; time.sleep(0.5); from boardroom.coordinator.peers.age import process_age as a; print(a())"
    told = subprocess.run([sys.executable, "-c", command], text=True, capture_output=True, check=True).stdout
    assert 0.5 < float(told) < 60.0
