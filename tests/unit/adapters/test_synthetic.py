"""`boardroom adapters make` and `check`: small real adapters."""

from pathlib import Path

import pytest
import safetensors
from click.testing import CliRunner

from boardroom.adapters import read
from boardroom.adapters.synthetic import Shape, make, weights
from boardroom.cli.adapters import adapters


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


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(adapters, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_check_prints_a_line_per_adapter(tmp_path: Path) -> None:
    run("make", tmp_path, "--roles", "ceo, CFO", "--rank", "16")
    code, output = run("check", tmp_path)
    assert (code, [line.split()[:2] for line in output.splitlines()[1:]]) == (
        0,
        [["ceo_lora_adapter", "16"], ["cfo_lora_adapter", "16"]],
    )


def test_check_of_one_adapter_looks_at_it_alone(tmp_path: Path) -> None:
    run("make", tmp_path, "--roles", "ceo")
    assert run("check", tmp_path / "ceo_lora_adapter")[0] == 0


def test_check_exits_1_when_an_adapter_has_a_problem(tmp_path: Path) -> None:
    run("make", tmp_path, "--roles", "ceo")
    (tmp_path / "ceo_lora_adapter" / "adapter_model.safetensors").write_bytes(b"torn")
    code, output = run("check", tmp_path)
    assert (code, "AdapterInvalid" in output) == (1, True)


def test_a_rank_that_lorax_scales_wrongly_is_refused(tmp_path: Path) -> None:
    code, output = run("make", tmp_path, "--roles", "ceo", "--rank", "4")
    assert (code, "--rank: its rank is 4" in output, list(tmp_path.iterdir())) == (2, True, [])


@pytest.mark.parametrize(("roles", "wrong"), [("ceo,../cfo", "'../cfo'"), (",", "''"), ("", "''")])
def test_a_role_that_no_board_takes_is_refused(tmp_path: Path, roles: str, wrong: str) -> None:
    code, output = run("make", tmp_path, "--roles", roles)
    assert (code, f"--roles: {wrong} is not a role" in output, list(tmp_path.iterdir())) == (2, True, [])


def test_a_place_that_can_t_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, output = run("make", tmp_path / "file" / "below", "--roles", "ceo")
    assert (code, output.startswith("Error: ["), str(tmp_path / "file") in output) == (1, True, True)
