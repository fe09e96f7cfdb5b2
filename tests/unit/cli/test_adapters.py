"""`boardroom adapters make` and `check`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.adapters import adapters


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
