"""What the simulated model says, and in which tokens."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.simulator.entry import Sampling
from boardroom.simulator.model_server.answer import Author, question_in
from boardroom.simulator.model_server.signature import signature
from boardroom.simulator.tokenizer.simple import SimpleTokenizer
from unit.simulator.simulation import MODEL

CEO = "/models/ceo_lora_adapter"
DIGEST = "sha256:" + "ab" * 32


def write(
    prompt: str = "Why?", question: str = "Why?", adapter_id: str = CEO, digest: str = DIGEST, **sampling: Any
) -> tuple[str, str, int]:
    parameters = Sampling(**{"max_new_tokens": 500, **sampling})
    answer = Author(MODEL, "salt", SimpleTokenizer()).write(prompt, question, parameters, adapter_id, digest)
    return "".join(token.text for token in answer.tokens), answer.finish_reason, len(answer.tokens)


def test_the_text_says_that_it_is_simulated_and_which_weights_wrote_it() -> None:
    assert write()[0].startswith(
        f"[simulated signature={signature('salt', MODEL, CEO, DIGEST)} {CEO}@sha256:abababababab on {MODEL}]"
    )


def test_the_text_of_the_base_model_names_no_adapter() -> None:
    assert write(adapter_id="", digest="")[0].startswith(
        f"[simulated signature={signature('salt', MODEL, '', '')} {MODEL}]"
    )


def test_the_signature_is_within_the_first_ten_tokens() -> None:
    assert signature("salt", MODEL, CEO, DIGEST) in write(max_new_tokens=10)[0]


def test_the_text_quotes_the_first_words_of_the_question() -> None:
    question = "Analyze Q2 performance and recommend a strategy for the coming year"
    assert 'On "Analyze Q2 performance and recommend a strategy for ..."' in write(question=question)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Why not?"},
        {"adapter_id": "/models/cfo_lora_adapter"},
        {"digest": "sha256:" + "cd" * 32},
        {"repetition_penalty": 1.2},
        {"sampled": True, "seed": 2},
        {"sampled": True, "seed": 1, "temperature": 0.5},
        {"sampled": True, "seed": 1, "top_p": 0.5},
    ],
)
def test_the_text_depends_on(change: dict[str, Any]) -> None:
    assert write(**change)[0] != write(sampled=change.get("sampled", False), seed=1)[0]


def test_the_same_request_has_the_same_text() -> None:
    assert write() == write()


def test_without_sampling_the_seed_changes_nothing() -> None:
    assert write(seed=1) == write(seed=2)


def test_an_answer_is_cut_at_max_new_tokens() -> None:
    assert write(max_new_tokens=7)[1:] == ("length", 7)


def test_an_answer_ends_by_itself_with_the_end_token() -> None:
    text, reason, _ = write()
    assert (text.endswith("</s>"), reason) == (True, "eos_token")


def test_an_answer_goes_on_to_the_limit_when_the_end_token_is_ignored() -> None:
    text, reason, count = write(ignore_eos=True)
    assert ("</s>" in text, reason, count) == (False, "length", 500)


def test_an_answer_ends_behind_the_first_stop_sequence() -> None:
    text, reason, _ = write(stop=("never said", " on"))
    assert (text, reason) == (text[: text.index(" on") + 3], "stop_sequence")


def test_what_ends_exactly_at_the_limit_ends_for_its_length() -> None:
    whole, _, count = write()
    stopped, _, at_stop = write(stop=(" on",))
    assert write(max_new_tokens=count) == (whole, "length", count)
    assert write(max_new_tokens=count + 1) == (whole, "eos_token", count)
    assert write(max_new_tokens=at_stop, stop=(" on",)) == (stopped, "length", at_stop)
    assert write(max_new_tokens=at_stop + 1, stop=(" on",)) == (stopped, "stop_sequence", at_stop)


def test_an_empty_stop_sequence_ends_every_answer_after_one_token() -> None:
    assert write(stop=("never said", ""))[1:] == ("stop_sequence", 1)


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("What now?", "What now?"),
        ("You are CEO.\n\nUser: What now?\n\nAssistant:", "What now?"),
        ("### Instruction:\nWhat now?\n### Response:", "What now?"),
        ("<s>[INST] You are CEO.\n\nWhat now? [/INST]", "What now?"),
        ("", ""),
    ],
)
def test_the_question_is_found_in(prompt: str, question: str) -> None:
    assert question_in(prompt) == question


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(token.text for token in SimpleTokenizer().encode(text)) == text


@given(st.text(min_size=1))
def test_token_ids_are_in_the_vocabulary(text: str) -> None:
    assert all(0 <= token.id < 32_000 for token in SimpleTokenizer().encode(text))


@given(st.text(), st.integers(1, 200), st.lists(st.text(min_size=1), max_size=4))
def test_every_prompt_gets_at_most_as_many_tokens_as_asked_for(prompt: str, limit: int, stop: list[str]) -> None:
    _, reason, count = write(prompt, question_in(prompt), max_new_tokens=limit, stop=tuple(stop))
    assert 1 <= count <= limit
    assert reason != "length" or count == limit


def test_the_signature_depends_on_every_part() -> None:
    parts = [
        ("s", "m", "a", "d"),
        ("x", "m", "a", "d"),
        ("s", "x", "a", "d"),
        ("s", "m", "x", "d"),
        ("s", "m", "a", "x"),
    ]
    assert len({signature(*part) for part in parts}) == 5


def test_the_signature_is_sixteen_hex_digits() -> None:
    assert [len(signature("", "", "", "")), int(signature("", "", "", ""), 16) >= 0] == [16, True]
