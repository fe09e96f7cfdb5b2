"""What becomes of a question when LoRAX hangs, breaks or overloads: everybody is named, and in time."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest

from boardroom.coordinator.backends.retry import OVERLOAD_WAITS, retry_on_overload
from boardroom.coordinator.http.server import serving
from boardroom.coordinator.main import Options, standalone
from boardroom.coordinator.metrics import Metrics
from component.coordinator.standing_board import NAMES, ROLES, Board, Standing, agent, by_role, served, standing, until
from component.engine.scripted_lorax import Call, ScriptedLorax

OVERLOADED = (429, "Model is overloaded", "overloaded")
FAILED = (424, "Request failed during generation: Server error: CUDA error", "generation")
MISSING = (424, "Request failed during generation: Server error: No valid adapter config file found", "generation")


def answers_unless(broken: Callable[[Call], Awaitable[bool]]) -> ScriptedLorax:
    """Answers every call that `broken` does not take over."""

    async def script(call: Call) -> None:
        if not await broken(call):
            await call.say(f"I am {call.adapter.rpartition('/')[2]}")

    return ScriptedLorax(script)


def of(role: str, call: Call) -> bool:
    return call.adapter.endswith(f"/{role.lower()}_lora_adapter") and not call.is_probe


HELD = "; LoRAX was still loading adapters, and nothing is sent meanwhile"


@pytest.mark.parametrize("timeout", [0.2, 1.0])
@pytest.mark.parametrize("loads", [True, False])
async def test_a_lorax_that_hangs_is_answered_for_by_the_deadline(board: Board, timeout: float, loads: bool) -> None:
    async def hang(call: Call) -> bool:
        if not (loads and call.is_probe):
            await call.client_leaves()
        return not (loads and call.is_probe)

    lorax = answers_unless(hang)
    async with served(lorax) as url, standing(board, url) as stand:
        if loads:
            await stand.wait_ready(*ROLES)
        else:
            await until(lambda: lorax.calls)
        began = time.monotonic()
        response = await stand.ask(timeout=timeout)
        took = time.monotonic() - began
    assert response.status_code == 503
    assert [(m["agent"], m["reason"]) for m in response.json()["error"]["members"]] == [
        (name, f"timeout: no answer within {timeout:g} s{'' if loads else HELD}") for name in NAMES
    ]
    assert took < timeout + 5


async def test_one_member_that_hangs_leaves_the_others_their_answers(board: Board) -> None:
    async def hang(call: Call) -> bool:
        if of("CFO", call):
            await call.client_leaves()
        return of("CFO", call)

    async with served(answers_unless(hang)) as url, standing(board, url) as stand:
        answer = await stand.answer(timeout=1)
    assert {role: a["status"] for role, a in by_role(answer).items()} == {
        **dict.fromkeys(ROLES, "answered"),
        "CFO": "failed",
    }
    assert (answer["batch"]["size"], by_role(answer)["CFO"]["text"]) == (5, None)


async def test_a_members_own_time_limit_does_not_shorten_the_others(board: Board) -> None:
    board.write(agent("CEO"), agent("CFO", timeoutSeconds=1))
    release = asyncio.Event()

    async def slow(call: Call) -> bool:
        if not call.is_probe:
            await asyncio.wait(
                [asyncio.create_task(call.client_leaves()), asyncio.create_task(release.wait())],
                return_when=asyncio.FIRST_COMPLETED,
                timeout=2,
            )
        return False

    async with served(answers_unless(slow)) as url, standing(board, url) as stand:
        await stand.wait_ready("CEO", "CFO")
        answer = await stand.answer(timeout=20)
    assert by_role(answer)["CFO"]["reason"] == "timeout: no answer within 1 s"
    assert by_role(answer)["CEO"]["status"] == "answered"


class Loading:
    """A load that takes until `done` is set; `left` counts who did not wait for it."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.left: list[str] = []

    async def __call__(self, call: Call) -> bool:
        gone = asyncio.create_task(call.client_leaves())
        loaded = asyncio.create_task(self.done.wait())
        await asyncio.wait([gone, loaded], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.left.append(call.headers["x-request-id"])
        gone.cancel()
        loaded.cancel()
        return False


async def test_a_load_is_not_cancelled_at_a_questions_deadline(board: Board) -> None:
    """The router aborts when a client leaves while a download fails (docs/lorax.md#disconnect-abort)."""
    board.write(agent("CEO"))
    loading = Loading()
    lorax = answers_unless(loading)
    async with served(lorax) as url, standing(board, url) as stand:
        await until(lambda: lorax.calls)
        response = await stand.ask(timeout=0.2)
        loading.done.set()
        answer = await stand.answer()
    assert (response.status_code, loading.left) == (503, [])
    assert answer["agents_involved"] == ["ceo"]


async def test_a_load_is_not_cancelled_when_the_client_leaves(board: Board) -> None:
    board.write(agent("CEO"))
    loading = Loading()
    lorax = answers_unless(loading)
    async with served(lorax) as url, standing(board, url) as stand:
        await until(lambda: lorax.calls)
        asking = asyncio.create_task(stand.ask())
        await until(lambda: held(stand))
        asking.cancel()
        await asyncio.sleep(0.2)
        loading.done.set()
        await stand.wait_ready("CEO")
    assert loading.left == []


async def test_a_load_is_not_cancelled_when_the_coordinator_stops(board: Board) -> None:
    board.write(agent("CEO"))
    loading = Loading()
    lorax = answers_unless(loading)
    async with served(lorax) as url, standing(board, url) as stand:
        stand.coordinator.drain_seconds = 10
        await until(lambda: lorax.calls)
        asyncio.get_running_loop().call_later(0.5, loading.done.set)
    assert loading.left == []


async def test_only_the_probe_reaches_lorax_while_an_adapter_loads(board: Board) -> None:
    board.write(agent("CEO"))
    loading = Loading()
    lorax = answers_unless(loading)
    async with served(lorax) as url, standing(board, url) as stand:
        await until(lambda: lorax.calls)
        asking = [asyncio.create_task(stand.answer()) for _ in range(8)]
        await until(lambda: held(stand) == 8)
        reached = [call.is_probe for call in lorax.calls]
        loading.done.set()
        answers = await asyncio.gather(*asking)
    assert reached == [True]
    assert [a["agents_involved"] for a in answers] == [["ceo"]] * 8
    assert len([call for call in lorax.calls if not call.is_probe]) == 8


def held(stand: Standing) -> float:
    return stand.coordinator.metrics.registry.get_sample_value("boardroom_held_requests") or 0.0


async def test_a_member_that_is_proved_is_cancelled_at_the_deadline(board: Board) -> None:
    board.write(agent("CEO"))
    left = asyncio.Event()

    async def hang(call: Call) -> bool:
        if not call.is_probe:
            await call.client_leaves()
            left.set()
        return not call.is_probe

    async with served(answers_unless(hang)) as url, standing(board, url) as stand:
        await stand.wait_ready("CEO")
        await stand.ask(timeout=0.2)
        async with asyncio.timeout(5):
            await left.wait()


async def test_an_error_that_fails_the_whole_batch_is_retried_one_by_one(board: Board) -> None:
    """An error in a batch fails every request in it (docs/lorax.md#batch-error)."""
    asked: Counter[str] = Counter()
    at_once = most = 0

    async def fail_the_first(call: Call) -> bool:
        nonlocal at_once, most
        if call.is_probe:
            return False
        asked[call.adapter] += 1
        if asked[call.adapter] == 1:
            await call.fail(*FAILED)
            return True
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return False

    async with served(answers_unless(fail_the_first)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
    assert answer["agents_involved"] == NAMES
    assert most == 1


async def test_a_member_that_fails_twice_is_named_with_both_causes(board: Board) -> None:
    async def fail(call: Call) -> bool:
        if of("CFO", call):
            await call.fail(*FAILED)
        return of("CFO", call)

    async with served(answers_unless(fail)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
    assert by_role(answer)["CFO"]["status"] == "failed"
    assert by_role(answer)["CFO"]["reason"] == f"{FAILED[1]} (before that: {FAILED[1]})"
    assert len(answer["answers"]) == 5


async def test_a_missing_adapter_is_asked_for_only_once_until_its_back_off_is_over(board: Board) -> None:
    board.write(agent("CEO"), agent("CFO"))
    calls: Counter[str] = Counter()

    async def missing(call: Call) -> bool:
        cfo = call.adapter.endswith("/cfo_lora_adapter")
        if cfo:
            calls["cfo"] += 1
            await call.fail(*MISSING)
        return cfo

    async with served(answers_unless(missing)) as url, standing(board, url) as stand:
        await stand.wait_ready("CEO")
        answers = [await stand.answer() for _ in range(5)]
    assert {(by_role(a)["CFO"]["status"], by_role(a)["CFO"]["reason"]) for a in answers} == {("absent", MISSING[1])}
    assert calls["cfo"] == 1


async def test_an_overloaded_lorax_is_asked_again_until_it_answers(board: Board) -> None:
    board.write(agent("CEO"))
    asked = 0

    async def overloaded(call: Call) -> bool:
        nonlocal asked
        asked += not call.is_probe
        if not call.is_probe and asked <= 2:
            await call.fail(*OVERLOADED)
            return True
        return False

    async with served(answers_unless(overloaded)) as url, standing(board, url) as stand:
        await stand.wait_ready("CEO")
        answer = await stand.answer()
    assert (answer["agents_involved"], asked) == (["ceo"], 3)


async def test_an_overload_that_lasts_is_named_after_a_few_repetitions(board: Board) -> None:
    async def overloaded(call: Call) -> bool:
        if not call.is_probe:
            await call.fail(*OVERLOADED)
        return not call.is_probe

    async with served(answers_unless(overloaded)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        response = await stand.ask()
    assert response.status_code == 503
    assert {m["reason"] for m in response.json()["error"]["members"]} == {"Model is overloaded"}


async def test_no_repetition_begins_that_would_end_after_the_deadline() -> None:
    """Whoever can't wait long enough hears of the overload, not of a time-out."""
    shortest = OVERLOAD_WAITS[0] / 2
    deadline = asyncio.get_running_loop().time() + shortest
    assert not await retry_on_overload(iter(OVERLOAD_WAITS), deadline, Metrics())


async def test_an_empty_text_is_no_answer(board: Board) -> None:
    async def silent(call: Call) -> bool:
        if of("CFO", call):
            await call.say("  \n")
        return of("CFO", call)

    async with served(answers_unless(silent)) as url, standing(board, url) as stand:
        answer = await stand.answer()
    assert by_role(answer)["CFO"]["status"] == "failed"
    assert "empty text" in by_role(answer)["CFO"]["reason"]


async def test_fewer_answers_than_asked_for_is_an_error_with_the_reasons(board: Board) -> None:
    async def fail(call: Call) -> bool:
        if of("CFO", call):
            await call.fail(*FAILED)
        return of("CFO", call)

    async with served(answers_unless(fail)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        response = await stand.ask(min_successful=5)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "not_enough_answers")
    assert [m["agent"] for m in error["members"]] == ["cfo"]


async def test_nothing_is_sent_to_a_loaded_adapter_while_another_loads(board: Board) -> None:
    """Its adapter may be leaving (docs/lorax.md#stale-adapter-race); requests that are in LoRAX go on."""
    board.write(agent("CEO"))
    loading, early = Loading(), asyncio.Event()

    async def slow(call: Call) -> bool:
        if call.is_probe:
            return await loading(call) if call.adapter.endswith("/cfo_lora_adapter") else False
        await early.wait()
        return False

    lorax = answers_unless(slow)
    async with served(lorax) as url, standing(board, url) as stand:
        await stand.wait_ready("CEO")
        first = asyncio.create_task(stand.answer())
        await until(lambda: [c for c in lorax.calls if not c.is_probe])
        board.make_adapters("CFO")
        board.write(agent("CEO"), agent("CFO"))
        await until(lambda: [c for c in lorax.calls if c.adapter.endswith("/cfo_lora_adapter")])
        second = asyncio.create_task(stand.answer(agents=["ceo"]))
        await until(lambda: held(stand))
        early.set()
        answer = await first
        sent = len([c for c in lorax.calls if not c.is_probe])
        loading.done.set()
        later = await second
    assert (answer["agents_involved"], sent, later["agents_involved"]) == (["ceo"], 1, ["ceo"])


async def test_the_parameters_of_a_question_win_over_the_members_own(board: Board) -> None:
    own = {"maxNewTokens": 12, "temperature": "0.5", "topP": "0.9", "stop": ["END"], "seed": 3}
    board.write(agent("CEO", systemPrompt="Be brief.", generation=own))
    lorax = answers_unless(lambda _: asyncio.sleep(0, result=False))
    async with served(lorax) as url, standing(board, url) as stand:
        await stand.answer()
        await stand.answer(parameters={"max_new_tokens": 3, "temperature": 0, "top_p": 1, "stop": [], "seed": 4})
    first, second = [c.body for c in lorax.calls if not c.is_probe]
    chosen = ("max_tokens", "temperature", "top_p", "stop", "seed")
    assert {k: first.get(k) for k in chosen} == dict(zip(chosen, (12, 0.5, 0.9, ["END"], 3), strict=True))
    assert {k: second.get(k) for k in chosen} == dict(zip(chosen, (3, 0, None, None, 4), strict=True))
    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "And now?"},
    ]


async def test_an_adapters_service_that_is_down_stops_no_question(board: Board) -> None:
    async with served(answers_unless(lambda _: asyncio.sleep(0, result=False))) as url:
        options = Options(
            file=board.file, lorax_url=url, adapters_url="http://127.0.0.1:9", adapters_root=str(board.models)
        )
        coordinator = standalone(options, board.file)
        async with serving(coordinator) as addresses, httpx.AsyncClient(trust_env=False, timeout=60) as client:
            response = await client.post(f"{addresses.api}/v1/ask", json={"user_input": "And now?"})
    answer = response.raise_for_status().json()
    assert answer["agents_involved"] == NAMES
    assert {a["adapter"]["digest"] for a in answer["answers"]} == {None}
    assert sorted(answer["warnings"]) == [
        f"{a['role']} ({a['agent']}): the files at {a['adapter']['path']} have no digest, because no adapters service "
        "has told what lies there; this answer's weights are not known"
        for a in answer["answers"]
    ]
