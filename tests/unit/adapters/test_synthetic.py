"""`boardroom adapters make` and `check`: small real adapters."""

from pathlib import Path

import pytest
import safetensors

from boardroom.adapters import read
from boardroom.adapters.synthetic import Shape, make, weights


def test_made_adapters_are_whole_and_differ_by_role(tmp_path: Path) -> None:
    made = make(tmp_path, ["CEO", "cfo"], Shape())
    read_back = [read(path) for path, _ in made]
    assert [adapter.problem for adapter in read_back] == [None, None]
    assert len({adapter.digest for adapter in read_back}) == 2


def test_weights_are_readable_by_the_safetensors_library() -> None:
    tensors = dict(safetensors.deserialize(weights("ceo", Shape(rank=4, layers=1, hidden=64))))
    assert {name: tensor["shape"] for name, tensor in tensors.items()} == {
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": [4, 64],
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": [64, 4],
        "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight": [4, 64],
        "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight": [16, 4],
    }


def test_making_again_writes_nothing(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert make(tmp_path, ["CEO"], Shape()) == [(tmp_path / "ceo_lora_adapter", False)]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    "base_model",
    ["google/gemma-2b", "microsoft/Phi-3-mini-4k-instruct", "gpt2", "meta-llama/Llama-3.2-11B-Vision", "acme/board-7b"],
)
def test_an_adapter_is_made_for_modules_that_its_base_model_has(tmp_path: Path, base_model: str) -> None:
    make(tmp_path, ["ceo"], Shape(base_model=base_model))
    assert read(tmp_path / "ceo_lora_adapter").problem is None
