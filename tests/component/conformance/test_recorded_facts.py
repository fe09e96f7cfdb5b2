"""LoRAX's HTTP interface (docs/lorax.md), one fact a test. The facts were recorded from the real router."""

import itertools
import json
import operator
from typing import Any

import httpx
import pytest

from component.conformance.server_under_test import Server

DETAILS = {"finish_reason", "prompt_tokens", "generated_tokens", "seed"}
JSON_TYPE = {"content-type": "application/json"}


def events(response: httpx.Response) -> list[str]:
    return [event for event in response.text.split("\n\n") if event and not event.startswith(":")]


@pytest.mark.parametrize("path", ["/health", "/ping", "/"])
def test_health_is_an_empty_200(lorax: Server, path: str) -> None:
    response = lorax.request("GET", path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("path", ["/generate_batch", "/v1/models", "/adapters", "/load_adapter"])
def test_there_is_no_route(lorax: Server, path: str) -> None:
    assert lorax.request("GET", path).status_code == 404


def test_info_says_nothing_about_adapters(lorax: Server) -> None:
    info = lorax.request("GET", "/info").json()
    known = "model_id model_sha model_dtype model_device_type max_concurrent_requests max_best_of max_stop_sequences"
    known += " max_input_length max_total_tokens max_batch_total_tokens max_waiting_tokens waiting_served_ratio"
    known += " validation_workers eager_prefill version sha docker_label"
    assert set(known.split()) <= info.keys()
    assert (info["version"], [name for name in info if "adapter" in name]) == ("0.1.0", [])


def test_generate_answers_an_object_and_the_root_a_list_of_one(lorax: Server) -> None:
    whole, listed = lorax.generate().json(), lorax.generate(path="/").json()
    assert (whole.keys(), len(listed), listed[0].keys()) == ({"generated_text"}, 1, {"generated_text"})


def test_details_tell_of_every_token(lorax: Server) -> None:
    details = lorax.generate(details=True).json()["details"]
    assert details.keys() >= DETAILS | {"skipped_tokens", "prefill", "tokens"}
    assert [token.keys() >= {"id", "text", "logprob", "special"} for token in details["tokens"]] == [True] * 4
    assert details["finish_reason"] == "length"


def test_headers_of_a_whole_answer(lorax: Server) -> None:
    headers = lorax.generate().headers
    numbers = "compute-time total-time validation-time queue-time inference-time time-per-token time-to-first-token"
    numbers += " time-per-output-token prompt-tokens generated-tokens total-tokens"
    assert all(headers[f"x-{name}"].isdecimal() for name in numbers.split())
    assert {"x-compute-type", "x-model-id"} <= headers.keys()
    assert headers.keys() & {"x-adapter-id", "x-adapter-source"} == set()


def test_headers_of_a_stream_are_few(lorax: Server) -> None:
    headers = lorax.generate(path="/generate_stream").headers
    assert {name for name in headers if name.startswith("x-")} == {
        "x-compute-type",
        "x-compute-characters",
        "x-accel-buffering",
        "x-model-id",
    }
    assert headers["content-type"] == "text/event-stream"


def test_the_adapter_is_echoed_in_the_headers(lorax: Server) -> None:
    wanted = lorax.adapter_parameters()
    headers = lorax.generate(**wanted).headers
    assert (headers["x-adapter-id"], headers["x-adapter-source"]) == (wanted["adapter_id"], wanted["adapter_source"])


@pytest.mark.parametrize("adapter_id", ["", None])
def test_an_empty_adapter_id_is_the_base_model(lorax: Server, adapter_id: str | None) -> None:
    response = lorax.generate(adapter_id=adapter_id)
    assert (response.status_code, "x-adapter-id" in response.headers) == (200, False)


def test_events_are_data_lines_and_the_last_one_carries_the_text(lorax: Server) -> None:
    *first, last = events(lorax.generate(path="/generate_stream", details=True))
    bodies = [json.loads(event.removeprefix("data: ")) for event in (*first, last)]
    assert all(event.startswith("data: {") for event in (*first, last))
    assert [body["generated_text"] is None for body in bodies] == [True] * 3 + [False]
    assert (bodies[0]["details"], bodies[-1]["details"].keys() >= DETAILS) == (None, True)


def test_an_openai_stream_ends_in_done(lorax: Server) -> None:
    body = {"model": "", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 2, "stream": True}
    assert events(lorax.request("POST", "/v1/chat/completions", json=body))[-1] == "data: [DONE]"


def test_an_error_in_a_stream_comes_with_status_200_and_nothing_after_it(lorax: Server) -> None:
    response = lorax.generate(path="/generate_stream", adapter_id="/nowhere/at/all", adapter_source="local")
    last = json.loads(events(response)[-1].removeprefix("data: "))
    assert (response.status_code, len(events(response)), last["error_type"]) == (200, 1, "generation")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"adapter_id": "/nowhere/at/all", "adapter_source": "local"}, "No valid adapter config file found"),
        ({"adapter_id": "some-adapter", "adapter_source": "ftp"}, "Invalid source 'ftp' when downloading adapter"),
    ],
)
def test_an_adapters_failure_is_a_424_with_its_text(lorax: Server, parameters: dict[str, Any], said: str) -> None:
    response = lorax.generate(**parameters)
    error = response.json()
    assert (response.status_code, error["error_type"], said in error["error"]) == (424, "generation", True)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"temperature": -0.1}, "`temperature` must be non-negative"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
        ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"top_p": 1.1}, "`top_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 0}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 1}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"return_k_alternatives": 0}, "`return_k_alternatives` must be strictly positive"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"stop": ["x"] * 999}, "`stop` supports up to "),
        ({"max_new_tokens": 10_000_000}, "`inputs` tokens + `max_new_tokens` must be <= "),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"adapter_id": "a", "merged_adapters": {"ids": ["b"], "weights": [1]}}, "at most one of `adapter_id` or"),
        ({"merged_adapters": {"ids": [], "weights": []}}, "at least one adapter ID must be provided"),
        ({"merged_adapters": {"ids": ["a"], "weights": []}}, "number of adapter IDs must match number of"),
    ],
)
def test_a_limit_is_a_422_of_type_validation(lorax: Server, parameters: dict[str, Any], said: str) -> None:
    response = lorax.generate(**parameters)
    error = response.json()
    assert (response.status_code, error["error_type"]) == (422, "validation")
    assert error["error"].startswith(f"Input validation error: {said}")


@pytest.mark.parametrize(
    "parameters", [{"temperature": 0}, {"top_p": 1.0}, {"unknown": 1}, {"seed": 7, "do_sample": True}]
)
def test_what_is_within_the_limits_or_unknown_is_served(lorax: Server, parameters: dict[str, Any]) -> None:
    assert lorax.generate(**parameters).status_code == 200


def test_a_prompt_that_is_too_long_is_refused(lorax: Server) -> None:
    longest = lorax.request("GET", "/info").json()["max_input_length"]
    response = lorax.generate("word " * (longest + 10))
    assert (response.status_code, response.json()["error_type"]) == (422, "validation")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON_TYPE, 400),
        (b'{"inputs": "x"}', {"content-type": "text/plain"}, 415),
        (b'{"inputs": 5}', JSON_TYPE, 422),
        (b'{"inputs": "x", "parameters": {"stop": "y"}}', JSON_TYPE, 422),
        (b'{"inputs": "' + b"x" * (2 << 20) + b'"}', JSON_TYPE, 413),
    ],
)
def test_a_rejected_body_is_plain_text(lorax: Server, content: bytes, headers: dict[str, str], status: int) -> None:
    response = lorax.request("POST", "/generate", content=content, headers=headers)
    kind = response.headers["content-type"]
    assert (response.status_code, kind.startswith("text/plain")) == (status, True)


@pytest.mark.parametrize("field", [{"stop": "x"}, {"prompt": ["x"]}])
def test_openai_bodies_that_lorax_does_not_read_are_plain_text_too(lorax: Server, field: dict[str, Any]) -> None:
    body = {"model": "", "prompt": "x", "max_tokens": 1} | field
    response = lorax.request("POST", "/v1/completions", json=body)
    assert (response.status_code, response.headers["content-type"].startswith("text/plain")) == (422, True)


def test_the_base_models_own_name_is_no_adapter(lorax: Server) -> None:
    model = lorax.request("GET", "/info").json()["model_id"]
    body = {"model": model, "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 1}
    response = lorax.request("POST", "/v1/chat/completions", json=body)
    assert (response.status_code, "x-adapter-id" in response.headers) == (200, False)


def test_tokenize_shows_places(lorax: Server) -> None:
    tokens = lorax.request("POST", "/tokenize", json={"inputs": "Why not?"}).json()
    assert all(token.keys() == {"id", "text", "start", "stop"} for token in tokens)
    assert tokens[-1]["stop"] == len("Why not?")


def test_counters_have_no_total_suffix_and_nothing_tells_of_adapters(lorax: Server) -> None:
    lorax.generate()
    page = lorax.request("GET", "/metrics").text
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
    expected = {"lorax_request_count", "lorax_request_success", "lorax_request_duration", "lorax_queue_length"}
    assert expected <= names
    assert [name for name in names if name.endswith("_total") or "adapter" in name] == []


def test_the_batch_size_has_1024_buckets(lorax: Server) -> None:
    lorax.generate()
    page = lorax.request("GET", "/metrics").text
    assert sum(line.startswith("lorax_batch_next_size_bucket") for line in page.splitlines()) == 1025


def test_a_failed_adapter_is_counted_by_what_failed(lorax: Server) -> None:
    lorax.generate(adapter_id="/nowhere/at/all", adapter_source="local")
    assert 'lorax_request_failure{err="download_adapter"}' in lorax.request("GET", "/metrics").text


def test_the_queue_time_distinguishes_a_cold_load_from_a_warm_hit(lorax: Server) -> None:
    wanted = lorax.adapter_parameters()
    lorax.fault(kind="slow-adapter", adapter="*", seconds=0.5)  # on a real server the difference needs no help
    cold = int(lorax.generate(**wanted | {"adapter_id": f"{wanted['adapter_id']}/."}).headers["x-queue-time"])
    warm = int(lorax.generate(**wanted | {"adapter_id": f"{wanted['adapter_id']}/."}).headers["x-queue-time"])
    assert (cold >= 500, warm < 250) == (True, True)


def test_the_last_token_that_was_wanted_ends_for_the_length_whatever_it_is(lorax: Server) -> None:
    details = lorax.generate(max_new_tokens=1, stop=[""], details=True).json()["details"]
    assert (details["finish_reason"], details["generated_tokens"]) == ("length", 1)


def test_an_empty_stop_sequence_ends_every_answer_after_one_token(lorax: Server) -> None:
    details = lorax.generate(max_new_tokens=4, stop=[""], details=True).json()["details"]
    assert (details["finish_reason"], details["generated_tokens"]) == ("stop_sequence", 1)


@pytest.mark.parametrize(
    ("parameters", "samples"),
    [
        ({"top_p": 1.0}, False),
        ({"temperature": 1.0}, False),
        ({"temperature": 0.0}, False),
        ({"top_p": 0.9}, True),
        ({"temperature": 0.0, "top_p": 0.9}, True),
        ({"temperature": 1.0, "do_sample": True}, True),
    ],
)
def test_it_samples_where_a_choice_changes_anything_and_only_then_tells_the_seed(
    lorax: Server, parameters: dict[str, Any], samples: bool
) -> None:
    details = lorax.generate(**parameters, seed=7, details=True).json()["details"]
    assert details["seed"] == (7 if samples else None)


@pytest.mark.parametrize(("seed", "status"), [(0, 200), (2**64 - 1, 200), (2**64, 422), (-1, 422)])
def test_a_seed_has_64_bits(lorax: Server, seed: int, status: int) -> None:
    response = lorax.generate(seed=seed, do_sample=True, details=True)
    assert (response.status_code, status != 200 or response.json()["details"]["seed"] == seed) == (status, True)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"inputs": "x", "parameters": {"max_new_tokens": 1}} and more', 200),
        (b'{"inputs": "x", "parameters": {"max_new_tokens": 1}}}', 200),
        (b'{"inputs": "x", "inputs": "x", "parameters": {"max_new_tokens": 1}}', 422),
        (b'{"inputs": "x", "parameters": {"max_new_tokens": 1, "stop": [], "stop": []}}', 422),
        (b'{"inputs": "x", "other": 1, "other": 2, "parameters": {"max_new_tokens": 1}}', 200),
    ],
)
def test_a_known_field_stands_once_and_what_is_behind_the_json_is_not_read(
    lorax: Server, content: bytes, status: int
) -> None:
    response = lorax.request("POST", "/generate", content=content, headers=JSON_TYPE)
    kind = "text/plain" if status != 200 else "application/json"
    assert (response.status_code, response.headers["content-type"].startswith(kind)) == (status, True)


def test_the_adapters_name_is_echoed_in_any_alphabet(lorax: Server) -> None:
    name = "/nowhere/à l'été"
    headers = lorax.generate(path="/generate_stream", adapter_id=name, adapter_source="local").headers
    assert dict(headers.raw)[b"x-adapter-id"].decode() == name


def test_the_base_model_by_loraxs_own_name_for_it_is_no_adapter(lorax: Server) -> None:
    response = lorax.generate(adapter_id="__base_model__")
    assert (response.status_code, "x-adapter-id" in response.headers) == (200, False)


def validation_failures(lorax: Server) -> int:
    page = lorax.request("GET", "/metrics").text
    name = 'lorax_request_failure{err="validation"} '
    return next((int(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name)), 0)


def test_a_refused_choice_of_two_is_counted_twice(lorax: Server) -> None:
    before = validation_failures(lorax)
    response = lorax.generate(best_of=2, do_sample=True, temperature=-1)
    assert (response.status_code, validation_failures(lorax) - before) == (422, 2)


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/health", [f"x-{n}: 1" for n in range(90)], 200),
        ("/health", [f"x-{n}: 1" for n in range(101)], 431),
        ("/health", ["x-long: " + "x" * 420_000], 431),
        ("/" + "x" * 70_000, [], 414),
    ],
)
def test_a_head_is_bounded(lorax: Server, target: str, headers: list[str], status: int) -> None:
    head = "\r\n".join([f"GET {target} HTTP/1.1", "host: lorax", "connection: close", *headers, "", ""])
    assert lorax.raw(head.encode()).startswith(b"HTTP/1.1 %d " % status)


def test_bounds_of_durations_are_multiplied_again_and_again(lorax: Server) -> None:
    lorax.generate()
    page = lorax.request("GET", "/metrics").text
    bucket = 'lorax_request_duration_bucket{le="'
    bounds = [float(line.split('"')[1]) for line in page.splitlines() if line.startswith(bucket) and "Inf" not in line]
    assert bounds == list(itertools.accumulate([0.0001] + [1.5] * 35, operator.mul))[1:]


def test_an_adapter_comes_back_from_the_source_that_the_asking_request_names(lorax: Server) -> None:
    wanted = lorax.adapter_parameters()
    pushed_out = [wanted, wanted | {"adapter_id": f"{wanted['adapter_id']}/."}]
    assert [lorax.generate(**parameters).status_code for parameters in pushed_out] == [200, 200]
    response = lorax.generate(**wanted | {"adapter_source": "ftp"})
    said = f"Invalid source 'ftp' when loading adapter '{wanted['adapter_id']}'"
    assert (response.status_code, said in response.json()["error"]) == (424, True)
