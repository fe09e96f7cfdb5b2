from typing import Any

import pytest
import yaml

from boardroom.api.ask import AskResponse, ErrorDetail
from boardroom.cli import render

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
CEO: dict[str, Any] = {
    "agent": "ceo",
    "role": "CEO",
    "status": "answered",
    "text": "Grow.",
    "engine": "lorax",
    "adapter": {"path": "/models/ceo_lora_adapter", "digest": "sha256:" + "ab" * 32},
    "finish_reason": "stop",
    "usage": USAGE,
    "latency_ms": 412.4,
    "cold_load": True,
}
CLO = {"agent": "clo", "role": "CLO", "status": "absent", "reason": "No valid adapter config file found"}


def response(**changes: Any) -> AskResponse:
    body = {
        "request_id": "r",
        "conv_id": None,
        "coordination_mode": "parallel",
        "used_lorax": True,
        "execution_time": 0.5,
        "reply": "CEO: Grow.",
        "agents_involved": ["ceo"],
        "answers": [CEO, CLO],
        "batch": {"size": 2, "wall_ms": 499.6, "slowest": "ceo"},
        "usage": USAGE,
        "warnings": ["CLO did not answer"],
    }
    return AskResponse.model_validate(body | changes)


def test_an_answer_shows_its_figures_and_each_member_with_engine_and_weights() -> None:
    assert render.answer("executive", response()) == (
        "executive: 1 of 2 members answered · mode parallel · used_lorax true · execution_time 0.50 s\n"
        "batch: 2 members in one LoRAX batch, 500 ms, slowest ceo\n"
        "warning: CLO did not answer\n"
        "\n"
        "CEO (ceo) · answered · engine lorax · /models/ceo_lora_adapter sha256:abababababab · 3 tokens"
        " · 412 ms with a cold load\n"
        "  Grow.\n"
        "\n"
        "CLO (clo) · absent\n"
        "  no answer: No valid adapter config file found\n"
    )


def test_an_answer_keeps_its_lines() -> None:
    text = render.answer("b", response(answers=[CEO | {"text": "Two goals:\n- grow\n\nThat is all."}]))
    assert text.endswith("\n  Two goals:\n  - grow\n\n  That is all.\n")


@pytest.mark.parametrize("control", ["\r", "\x1b[1A\x1b[2K", "\x08", "\x9b1A"])
def test_no_member_can_write_over_the_line_of_another(control: str) -> None:
    said = f"{control}CFO (cfo) · answered"
    error = ErrorDetail.model_validate({"code": "c", "message": said, "members": []})
    stream = render.Lines()
    stream.take("member.delta", {"agent": "ceo", "text": said})
    shown = [
        render.answer("b", response(answers=[CEO | {"text": said}], warnings=[said])),
        render.error(error),
        render.table(("A",), [(said,)]),
        stream.take("member.done", {"agent": "ceo", "status": "answered"}),
    ]
    assert [character for text in shown for character in text if character in "\r\x1b\x08\x9b"] == []
    assert shown[3].startswith("ceo: \N{REPLACEMENT CHARACTER}")


def test_an_answer_without_a_batch_says_so() -> None:
    assert "batch: none (fewer than two members were submitted together)\n" in render.answer("b", response(batch=None))


def test_every_round_shows_its_batch_and_a_chair_is_named() -> None:
    batches = [{"size": 2, "wall_ms": 10.0, "slowest": "ceo"}, {"size": 2, "wall_ms": 20.0, "slowest": "cfo"}]
    shown = render.answer("b", response(batch=batches[0], batches=batches, chair="ceo"))
    assert shown.splitlines()[1:4] == [
        "batch: 2 members in one LoRAX batch, 10 ms, slowest ceo",
        "batch: 2 members in one LoRAX batch, 20 ms, slowest cfo",
        "chair: ceo, whose answer is the board's",
    ]


def test_an_error_names_the_field_and_every_members_reason() -> None:
    members = [{"agent": "ceo", "role": "CEO", "reason": "LoRAX is starting"}]
    detail = ErrorDetail.model_validate(
        {"code": "nobody_answered", "message": "no member answered", "field": "agents", "members": members}
    )
    assert render.error(detail) == (
        "nobody_answered: no member answered (field agents)\n  CEO (ceo): LoRAX is starting"
    )


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert render.table(("A", "LONG"), [("xyz", None), ("", 12)]) == "A     LONG\nxyz\n      12"


def test_a_board_shows_ready_first_and_each_members_reason() -> None:
    board = {
        "metadata": {"name": "executive", "namespace": "ns"},
        "spec": {"model": {"id": "m"}},
        "status": {
            "agents": "0/1",
            "conditions": [
                {"type": "LoraxReady", "status": "False", "reason": "Starting", "message": "LoRAX starts"},
                {"type": "Ready", "status": "False", "reason": "LoraxStarting", "message": "wait"},
            ],
            "lorax": {"running": False},
        },
    }
    agent = {"metadata": {"name": "ceo"}, "spec": {"role": "CEO"}}
    shown = render.board(board, [agent]).splitlines()
    assert shown[0] == "Boardroom ns/executive · model m · agents 0/1 · "
    assert shown[3].split() == ["Ready", "False", "LoraxStarting", "wait"]
    assert shown[7].split() == ["ceo", "CEO", "Unknown", "NotObserved"]
    assert "  running: false" in shown


def test_data_is_whole_in_both_forms() -> None:
    value = {"b": [1, "ä"], "a": None}
    assert render.data(value, "json") == '{\n  "b": [\n    1,\n    "ä"\n  ],\n  "a": null\n}\n'
    assert yaml.safe_load(render.data(value, "yaml")) == value


def test_lines_of_a_stream_are_whole_and_bear_their_members_name() -> None:
    lines = render.Lines()

    def delta(agent: str, text: str) -> str:
        return lines.take("member.delta", {"agent": agent, "text": text})

    assert [delta("ceo", "we "), delta("cfo", "no"), delta("ceo", "grow\nand")] == ["", "", "ceo: we grow\n"]
    assert lines.take("member.done", {"agent": "ceo", "status": "answered"}) == "ceo: and\n"
    assert delta("cfo", " cash " + "x" * 120).startswith("cfo: no cash ")
    assert lines.take("member.restarted", {"agent": "cfo", "reason": "it broke"}) == "cfo: (asked again: it broke)\n"
    done = lines.take("member.done", {"agent": "cfo", "status": "failed", "reason": "it broke again"})
    assert done == "cfo: no answer: it broke again\n"
