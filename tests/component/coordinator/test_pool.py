"""Several LoRAX servers: a batch is kept whole on one, and what one can't do another does."""

import asyncio
import dataclasses

from boardroom.simulator.faults import Fault
from component.coordinator.standing_board import NAMES, ROLES, Board, agent, by_role, until
from component.coordinator.standing_fleet import ListedEndpoints, Servers, simulated_servers, standing_pool


def listed(servers: Servers, *names: str) -> ListedEndpoints:
    return ListedEndpoints(*(servers.endpoints[name] for name in names))


async def test_a_batch_is_whole_on_one_server_and_batches_are_spread(board: Board) -> None:
    board.write(*(agent(role, tokens=48) for role in ROLES))
    async with (
        simulated_servers(board, "a", "b") as servers,
        standing_pool(board, listed(servers, "a", "b")) as stand,
    ):
        await stand.wait_ready(5, "a", "b")
        answers = await asyncio.gather(*(stand.answer() for _ in range(8)))
    spoke = [{a["replica"] for a in answer["answers"]} for answer in answers]
    assert [len(backends) for backends in spoke] == [1] * 8
    assert set.union(*spoke) == {"a", "b"}
    questions = {name: {r.partition(".")[0] for r in servers.asked(name)} for name in ("a", "b")}
    assert questions["a"] & questions["b"] == set()
    assert len(questions["a"]) == len(questions["b"]) == 4


async def test_a_server_that_is_down_is_not_asked_and_the_board_stays_up(board: Board) -> None:
    async with simulated_servers(board, "a", "b") as servers:
        gone = dataclasses.replace(servers.endpoints["a"], url="http://127.0.0.1:9")
        async with standing_pool(board, ListedEndpoints(gone, servers.endpoints["b"])) as stand:
            await stand.wait_ready(5, "b")
            await until(lambda: stand.backend("a").health_check.running is False)
            answer = await stand.answer()
            health = (await stand.client.get("/v1/health")).json()
    assert {a["replica"] for a in answer["answers"]} == {"b"}
    assert (health["ready"], health["system_health"]["lorax"]["loaded_adapters"]) == (True, 5)


async def test_a_failed_batch_is_retried_alone_on_the_other_server(board: Board) -> None:
    async with (
        simulated_servers(board, "a", "b") as servers,
        standing_pool(board, listed(servers, "a", "b")) as stand,
    ):
        await stand.wait_ready(5, "a", "b")
        servers.engines["a"].faults.add(Fault(kind="error", error="batch", times=1))
        answer = await stand.answer()
    assert answer["agents_involved"] == NAMES
    assert "b" in {a["replica"] for a in answer["answers"]}


async def test_an_adapter_that_one_server_can_not_load_speaks_from_the_other(board: Board) -> None:
    broken = Fault(kind="failing-adapter", adapter="*/cfo_lora_adapter")
    async with simulated_servers(board, "a", "b") as servers:
        servers.engines["a"].faults.add(broken)
        async with standing_pool(board, listed(servers, "a", "b")) as stand:
            await stand.wait_ready(4, "a")
            await stand.wait_ready(5, "b")
            answer = await stand.answer()
    assert answer["agents_involved"] == NAMES
    assert {a["replica"] for a in answer["answers"]} == {"b"}


async def test_a_server_that_comes_is_proved_and_asked_and_one_that_goes_is_not(board: Board) -> None:
    async with (
        simulated_servers(board, "a", "b") as servers,
        standing_pool(board, listed(servers, "a")) as stand,
    ):
        await stand.wait_ready(5, "a")
        stand.endpoints.list(*(servers.endpoints[name] for name in ("a", "b")))
        await stand.wait_ready(5, "b")
        stand.endpoints.list(servers.endpoints["b"])
        answer = await stand.answer()
    assert {a["replica"] for a in answer["answers"]} == {"b"}


async def test_who_is_under_way_at_a_server_whose_pod_is_removed_still_answers(board: Board) -> None:
    async with (
        simulated_servers(board, "a", "b", time_scale=1.0) as servers,
        standing_pool(board, listed(servers, "a")) as stand,
    ):
        await stand.wait_ready(5, "a")
        asking = asyncio.create_task(stand.answer(parameters={"max_new_tokens": 16}))
        await until(lambda: stand.backend("a").route.tasks)
        stand.endpoints.list(servers.endpoints["b"])
        answer = await asking
    assert answer["agents_involved"] == NAMES


async def test_without_a_pod_the_members_are_absent_with_the_reason(board: Board) -> None:
    async with simulated_servers(board) as _, standing_pool(board, ListedEndpoints()) as stand:
        response = await stand.ask()
    error = response.json()["error"]
    assert (response.status_code, {m["reason"] for m in error["members"]}) == (503, {"LoRAX has no pod"})
    assert "retry-after" in response.headers


async def test_before_the_servers_are_known_the_board_is_not_ready(board: Board) -> None:
    endpoints = ListedEndpoints()
    endpoints.found = None
    async with standing_pool(board, endpoints) as stand:
        response = await stand.ask()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "not_ready")


async def test_the_digest_is_that_of_the_server_that_spoke(board: Board) -> None:
    """One server loaded the files before they were replaced under their path, the other one after it."""
    async with (
        simulated_servers(board, "a", "b") as servers,
        standing_pool(board, listed(servers, "a")) as stand,
    ):
        await stand.wait_ready(5, "a")
        await until(lambda: stand.backend("a").registry[str(board.adapter("CFO"))].digest)  # of the files before
        board.replace_adapter("CFO")
        await until(lambda: stand.backend("a").registry[str(board.adapter("CFO"))].replaced)
        stand.endpoints.list(*(servers.endpoints[name] for name in ("a", "b")))
        await stand.wait_ready(5, "a", "b")
        old = by_role(await stand.answer())["CFO"]
        stand.endpoints.list(servers.endpoints["b"])
        new = by_role(await stand.answer())["CFO"]
    assert (old["replica"], old["adapter"]["digest"]) == ("a", None)
    assert (new["replica"], new["adapter"]["digest"]) == (
        "b",
        stand.backend("b").registry[str(board.adapter("CFO"))].digest,
    )
