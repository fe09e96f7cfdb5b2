"""Bad input, limits and headers: every refusal in one shape, with the field and the remedy."""

import asyncio

import httpx
import pytest

from boardroom.coordinator.http import requests as questions
from component.coordinator.standing_board import NAMES, Board, Standing, agent, served, standing, until
from component.engine.scripted_lorax import Call, ScriptedLorax

JSON = {"content-type": "application/json"}


async def say_yes(call: Call) -> None:
    await call.say("yes")


Refusal = tuple[int, str, str | None, str]
BAD_QUESTIONS: list[tuple[bytes, Refusal]] = [
    (b"", (400, "invalid_json", None, "empty")),
    (b"{", (400, "invalid_json", None, "not JSON")),
    (b'{"user_input": "\\ud800"}', (400, "invalid_json", None, "not JSON")),
    (b"[" * 100_000, (400, "invalid_json", None, "not JSON")),
    (b"[]", (422, "invalid_request", None, "object")),
    (b"{}", (422, "invalid_request", "user_input", "required")),
    (b'{"user_input": ""}', (422, "invalid_request", "user_input", "at least 1")),
    (b'{"user_input": " \\n "}', (422, "invalid_request", "user_input", "blank")),
    (b'{"user_input": 5}', (422, "invalid_request", "user_input", "string")),
    (b'{"user_input": "x", "use_lorax": "yes"}', (422, "invalid_request", "use_lorax", "boolean")),
    (b'{"user_input": "x", "timeout": "5"}', (422, "invalid_request", "timeout", "number")),
    (b'{"user_input": "x", "timeout": 0}', (422, "invalid_request", "timeout", "greater than 0")),
    (b'{"user_input": "x", "min_successful": 1.5}', (422, "invalid_request", "min_successful", "integer")),
    (b'{"user_input": "x", "agents": "ceo"}', (422, "invalid_request", "agents", "array")),
    (b'{"user_input": "x", "agents": []}', (422, "invalid_request", "agents", "at least 1")),
    (b'{"user_input": "x", "agents": [1]}', (422, "invalid_request", "agents.0", "string")),
    (b'{"user_input": "x", "colour": "red"}', (422, "invalid_request", "colour", "no such field")),
    (
        b'{"user_input": "x", "coordination_mode": "duel"}',
        (422, "invalid_request", "coordination_mode", "parallel, s"),
    ),
    (b'{"user_input": "x", "coordination_mode": 7}', (422, "invalid_request", "coordination_mode", "parallel, s")),
    (b'{"user_input": "x", "use_lorax": false}', (422, "invalid_request", "use_lorax", "standard inference")),
    (
        b'{"user_input": "x", "min_successful": 3}',
        (422, "invalid_request", "min_successful", "2 members are asked: give at most 2"),
    ),
    (
        b'{"user_input": "x", "parameters": {"max_tokens": 3}}',
        (422, "invalid_request", "parameters.max_tokens", "parameters has max_new_tokens, temperature"),
    ),
    (b'{"user_input": "x", "parameters": {"top_p": 2}}', (422, "invalid_request", "parameters.top_p", "less than")),
    (
        b'{"user_input": "x", "agents": ["ceo", "janitor"]}',
        (404, "unknown_agent", "agents", "janitor; it has ceo ("),
    ),
    (b'{"user_input": "x", "agent_id": "janitor"}', (404, "unknown_agent", "agent_id", "janitor; it has ceo (CEO")),
    (b'{"user_input": "x", "domain": "sports"}', (404, "unknown_domain", "domain", "domains are finance, strategy")),
    (b'{"user_input": "' + b"x" * 65_537 + b'"}', (413, "too_large", "user_input", "65536")),
    (b" " * 1_048_577, (413, "too_large", None, "1048576")),
]


@pytest.mark.parametrize(("body", "refusal"), BAD_QUESTIONS)
async def test_a_bad_question_is_refused_by_field_and_remedy(board: Board, body: bytes, refusal: Refusal) -> None:
    *expected, words = refusal
    board.write(agent("CEO", domains=["strategy"]), agent("CFO", domains=["strategy", "finance"]))
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        response = await stand.client.post("/v1/ask", content=body, headers=JSON)
    error = response.json()["error"]
    assert [response.status_code, error["code"], error.get("field")] == expected
    assert words in error["message"]


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/chat/completions"])
async def test_a_body_that_stalls_is_refused_and_its_connection_closed(
    board: Board, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(questions, "MAX_BODY_SECONDS", 0.2)
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.client.base_url.port)
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too_slow" in answer


async def test_a_body_that_never_ends_is_cut_off(board: Board) -> None:
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.client.base_url.port)
        writer.write(b"POST /v1/ask HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write((b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 17)
        answer = await reader.read()  # until the coordinator closes: the body's end never comes
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (("GET", "/v1/nothing", {}), (404, "not_found")),
        (("GET", "/v1/ask", {}), (405, "method_not_allowed")),
        (("POST", "/v1/health", {}), (405, "method_not_allowed")),
        (("POST", "/v1/ask", {"content-type": "text/plain"}), (415, "unsupported_media_type")),
    ],
)
async def test_a_wrong_address_is_refused_in_the_same_shape(
    board: Board, request_: tuple[str, str, dict[str, str]], refusal: tuple[int, str]
) -> None:
    method, path, headers = request_
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        response = await stand.client.request(method, path, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == refusal


async def test_a_wrong_method_is_told_every_method_of_the_path(board: Board) -> None:
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        response = await stand.client.put("/v1/conversations/c")
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET, HEAD")


@pytest.mark.parametrize(("sent", "kept"), [("my-id.1_2", True), ("", False), ("two words", False), ("x" * 129, False)])
async def test_a_sane_request_id_is_kept_and_another_is_replaced(board: Board, sent: str, kept: bool) -> None:
    lorax = ScriptedLorax(say_yes)
    async with served(lorax) as url, standing(board, url) as stand:
        response = await stand.client.post("/v1/ask", json={"user_input": "x"}, headers={"x-request-id": sent})
    used = response.headers["x-request-id"]
    assert (used == sent) is kept
    assert response.json()["request_id"] == used
    assert {c.headers["x-request-id"] for c in lorax.calls if not c.is_probe} == {f"{used}.{name}" for name in NAMES}


async def test_questions_beyond_the_limit_get_429_and_when_to_come_again(board: Board) -> None:
    release = asyncio.Event()

    async def slow(call: Call) -> None:
        if not call.is_probe:
            await release.wait()
        await call.say("yes")

    lorax = ScriptedLorax(slow)
    async with served(lorax) as url, standing(board, url, max_in_flight=1) as stand:
        first = asyncio.create_task(stand.ask())
        await until(lambda: [c for c in lorax.calls if not c.is_probe])
        second = await stand.ask()
        release.set()
        assert (await first).status_code == 200
    assert (second.status_code, second.json()["error"]["code"]) == (429, "too_many_requests")
    assert second.headers["retry-after"] == "1"


async def test_a_board_without_lorax_names_every_member(board: Board) -> None:
    async with standing(board, None) as stand:
        response = await stand.ask()
    assert response.status_code == 503
    members = response.json()["error"]["members"]
    assert [m["agent"] for m in members] == NAMES
    assert all("runs without LoRAX" in m["reason"] for m in members)


async def test_a_board_without_members_says_how_to_get_some(board: Board) -> None:
    board.write()
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        response = await stand.ask()
    assert response.status_code == 503
    assert "spec.boardroomRef.name" in response.json()["error"]["message"]


async def test_a_refused_agent_that_is_asked_for_by_name_is_a_named_absence(board: Board) -> None:
    board.write(agent("CEO"), agent("ceo", name="second"))
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        answer = await stand.answer(agents=["second", "CEO"])
    assert [(a["agent"], a["status"]) for a in answer["answers"]] == [("second", "absent"), ("ceo", "answered")]
    assert answer["answers"][0]["reason"].startswith("DuplicateRole: ")


async def probes(stand: Standing) -> dict[str, httpx.Response]:
    async with httpx.AsyncClient(base_url=stand.metrics_url, trust_env=False) as client:
        return {path: await client.get(path) for path in ("/healthz", "/readyz", "/metrics")}


async def test_a_board_whose_lorax_is_down_is_still_ready_for_questions(board: Board) -> None:
    async with standing(board, "http://127.0.0.1:9") as stand:
        found = await probes(stand)
    assert {path: r.status_code for path, r in found.items()} == {"/healthz": 200, "/readyz": 200, "/metrics": 200}


async def test_metrics_count_requests_by_route_mode_and_code(board: Board) -> None:
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        await stand.answer()
        await stand.ask(agents=["nobody"])
        await stand.client.get("/elsewhere")
        page = (await probes(stand))["/metrics"].text
    assert 'boardroom_requests_total{code="200",mode="parallel",route="/v1/ask"} 1.0' in page
    assert 'boardroom_requests_total{code="404",mode="parallel",route="/v1/ask"} 1.0' in page
    assert 'boardroom_requests_total{code="404",mode="",route="other"} 1.0' in page
    assert 'boardroom_member_answers_total{agent="ceo",cause="",engine="lorax",status="answered"} 1.0' in page
    assert "boardroom_batch_members_sum 5.0" in page
