"""The native routes: what an answer carries, whole and streamed; tokenize."""

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from boardroom.simulator.router.app import Application
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.settings import Settings
from boardroom.simulator.virtual import VirtualTimeLoop
from unit.simulator.simulation import MODEL, events, post, serving


async def test_generate_answers_the_text_alone() -> None:
    response = await post("/generate", {"inputs": "Why?", "parameters": {"max_new_tokens": 2}})
    assert (response.status_code, response.json()) == (200, {"generated_text": "[simulate"})


async def test_generate_with_details_counts_what_was_generated() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2, "details": True}}
    details = (await post("/generate", body)).json()["details"]
    assert [token["text"] for token in details.pop("tokens")] == ["[", "simulate"]
    assert details == {
        "finish_reason": "length",
        "prompt_tokens": 3,
        "generated_tokens": 2,
        "skipped_tokens": 0,
        "seed": None,
        "prefill": [],
    }


async def test_the_root_answers_a_list_of_one() -> None:
    response = await post("/", {"inputs": "Why?", "parameters": {"max_new_tokens": 2}})
    assert response.json() == [{"generated_text": "[simulate"}]


async def test_return_full_text_puts_the_prompt_in_front() -> None:
    body = {"inputs": "Why? ", "parameters": {"max_new_tokens": 1, "return_full_text": True}}
    assert (await post("/generate", body)).json() == {"generated_text": "Why? ["}


async def test_best_of_answers_the_best_and_shows_the_others() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 60, "best_of": 2, "do_sample": True, "details": True}}
    answer = (await post("/generate", body)).json()
    others = answer["details"]["best_of_sequences"]
    assert [other["generated_text"] != answer["generated_text"] for other in others] == [True]


async def test_a_truncated_prompt_is_its_end() -> None:
    parameters = {"max_new_tokens": 60, "truncate": 2, "details": True}
    answer = (await post("/generate", {"inputs": "Why not now?", "parameters": parameters})).json()
    assert (answer["details"]["prompt_tokens"], 'On "now?":' in answer["generated_text"]) == (2, True)


async def test_generate_carries_loraxs_headers(ceo: Path) -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2, "adapter_id": f"{ceo}", "adapter_source": "local"}}
    headers = (await post("/generate", body)).headers
    times = {f"x-{name}-time" for name in ("compute", "total", "validation", "queue", "inference")} | {
        f"x-time-{name}" for name in ("per-token", "to-first-token", "per-output-token")
    }
    assert all(headers[name].isdecimal() for name in times)
    rest = {name: value for name, value in headers.items() if name.startswith("x-") and name not in times}
    assert rest == {
        "x-compute-type": "gpu+optimized",
        "x-compute-characters": "4",
        "x-prompt-tokens": "3",
        "x-generated-tokens": "2",
        "x-skipped-tokens": "0",
        "x-total-tokens": "5",
        "x-model-id": MODEL,
        "x-adapter-id": f"{ceo}",
        "x-adapter-source": "local",
    }


async def test_the_base_model_has_no_adapter_headers() -> None:
    headers = (await post("/generate", {"inputs": "Why?", "parameters": {"max_new_tokens": 1}})).headers
    assert ("x-adapter-id" in headers, "x-adapter-source" in headers) == (False, False)


async def test_a_header_can_not_be_smuggled_in_by_an_adapter_id() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 1, "adapter_id": "/x\r\nx-evil: 1"}}
    headers = (await post("/generate_stream", body, abort_bugs=False)).headers
    assert (headers["x-adapter-id"], "x-evil" in headers) == ("/x??x-evil: 1", False)


def test_an_omitted_max_new_tokens_reserves_the_rest_of_the_context() -> None:
    async def reserved() -> int:
        async with serving(max_total_tokens=100, max_input_length=50, max_batch_prefill_tokens=60) as lorax:
            await lorax.post("/generate", json={"inputs": "x"})
            page = (await lorax.get("/metrics")).text
        return int(next(line for line in page.splitlines() if "max_new_tokens_sum" in line).split()[1])

    assert asyncio.run(reserved()) == 98


async def test_unknown_parameters_are_ignored() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 1, "return_attention": True}, "more": 1}
    assert (await post("/generate", body)).status_code == 200


async def test_a_bearer_token_serves_as_api_token() -> None:
    body = {"inputs": "x", "parameters": {"adapter_id": "org/x", "adapter_source": "pbase", "max_new_tokens": 1}}
    async with serving() as lorax:
        without = await lorax.post("/generate", json=body)
        with_token = await lorax.post("/generate", json=body, headers={"authorization": "Bearer t"})
    assert ["api_token must be provided" in answer.text for answer in (without, with_token)] == [True, False]


async def test_a_stream_has_an_event_per_token_and_the_text_in_the_last() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2, "details": True}}
    response = await post("/generate_stream", body)
    first, last = events(response)
    assert response.headers["content-type"] == "text/event-stream"
    assert (first["token"]["text"], first["generated_text"], first["details"]) == ("[", None, None)
    assert (last["token"]["text"], last["generated_text"]) == ("simulate", "[simulate")
    assert last["details"] == {"finish_reason": "length", "prompt_tokens": 3, "generated_tokens": 2, "seed": None}


async def test_a_stream_has_few_headers() -> None:
    headers = (await post("/generate_stream", {"inputs": "Why?", "parameters": {"max_new_tokens": 1}})).headers
    assert {name for name in headers if name.startswith("x-")} == {
        "x-compute-type",
        "x-compute-characters",
        "x-accel-buffering",
        "x-model-id",
    }


async def test_the_root_streams_when_asked_to() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 3}, "stream": True}
    assert [event["token"]["text"] for event in events(await post("/", body))] == ["[", "simulate", "d"]


async def test_an_error_in_a_stream_comes_with_status_200() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 1, "adapter_id": "/models/nobody"}}
    response = await post("/generate_stream", body)
    assert (response.status_code, events(response)) == (
        200,
        [
            {
                "error": "Request failed during generation: Server error: "
                "No valid adapter config file found: tried None and None",
                "error_type": "generation",
            }
        ],
    )


def test_a_comment_comes_every_15_seconds_also_while_an_adapter_loads(ceo: Path) -> None:
    sent = []

    async def story() -> None:
        settings = Settings(adapter_source="local", time_scale=2000)  # 20 ms of download become 40 s
        parameters = {"adapter_id": f"{ceo}", "max_new_tokens": 1}
        body = json.dumps({"inputs": "x", "parameters": parameters}).encode()
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        loop = asyncio.get_running_loop()

        async def receive() -> dict[str, object]:
            return messages.pop() if messages else await loop.create_future()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message.get("body"):
                sent.append((round(loop.time()), message["body"][:6]))

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/generate_stream", "headers": headers, "query_string": b""}
        async with Engine(settings) as engine:
            await Application(engine)(scope, receive, send)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())
    *comments, (_, last) = sent
    assert (comments[:2], {body for _, body in comments}, last) == (
        [(15, b":\n\n"), (30, b":\n\n")],
        {b":\n\n"},
        b"data: ",
    )


async def test_tokenize_gives_tokens_with_their_places() -> None:
    tokens = (await post("/tokenize", {"inputs": "Why not?"})).json()
    assert [(token["text"], token["start"], token["stop"]) for token in tokens] == [
        ("<s>", 0, 0),
        ("Why", 0, 3),
        (" not", 3, 7),
        ("?", 7, 8),
    ]
