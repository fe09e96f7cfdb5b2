"""Programs built for real by `go`, from a small module of the tests' own."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boardroom.cluster import build
from boardroom.cluster.build import BuildError
from boardroom.cluster.programs import Module, Program

SOURCE = 'package main\n\nfunc main() { print("hello") }\n'


@pytest.fixture
def module(tmp_path: Path) -> Module:
    folder = tmp_path / "module"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "main.go").write_text(SOURCE)
    (folder / "go.mod").write_text("module example.test/m\n\ngo 1.26.0\n")
    return Module(name="m", folder=folder, cold_minutes=1)


def _program(module: Module, name: str) -> Program:
    return Program(name, module, f"./{name}")


def _run(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stderr


def test_programs_of_one_module_are_built_together(
    module: Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = build.ensure_built(module, [_program(module, "one"), _program(module, "two")], tmp_path / "store")
    assert [_run(place / name) for name in ("one", "two")] == ["hello", "hello"]
    assert capsys.readouterr().err.count("building one, two (once;") == 1


def test_what_is_built_is_not_built_again(module: Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [_program(module, "one")]
    build.ensure_built(module, wanted, tmp_path / "store")
    capsys.readouterr()
    build.ensure_built(module, wanted, tmp_path / "store")
    assert capsys.readouterr().err == ""


def test_a_change_of_go_mod_builds_anew_beside_the_old(module: Module, tmp_path: Path) -> None:
    wanted = [_program(module, "one")]
    first = build.ensure_built(module, wanted, tmp_path / "store")
    (module.folder / "go.mod").write_text("module example.test/changed\n\ngo 1.26.0\n")
    second = build.ensure_built(module, wanted, tmp_path / "store")
    assert (first != second, _run(first / "one"), _run(second / "one")) == (True, "hello", "hello")


def test_a_failed_build_shows_gos_words_and_leaves_nothing_built(module: Module, tmp_path: Path) -> None:
    (module.folder / "one" / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildError, match="undefined: nonsense"):
        build.ensure_built(module, [_program(module, "one")], tmp_path / "store")
    assert [entry.name for entry in (tmp_path / "store").rglob("*") if entry.is_file()] == [".lock"]


def test_a_machine_without_go_says_what_to_install(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"install Go 1\.26 or newer"):
        build.ensure_built(module, [_program(module, "one")], tmp_path / "store")


@pytest.mark.parametrize("flags", ["-mod=vendor", "-mod=mod -v", "-tags=x"])
def test_the_users_goflags_do_not_matter(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str
) -> None:
    monkeypatch.setenv("GOFLAGS", flags)
    assert _run(build.ensure_built(module, [_program(module, "one")], tmp_path / "store") / "one") == "hello"


def test_two_who_ask_at_once_wait_for_one_build(
    module: Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [_program(module, "one")]
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: build.ensure_built(module, wanted, tmp_path / "store"), range(2)))
    assert places[0] == places[1]
    assert capsys.readouterr().err.count("building one (once;") == 1


def test_a_build_that_was_killed_does_not_count(module: Module, tmp_path: Path) -> None:
    wanted = [_program(module, "one")]
    place = tmp_path / "store" / f"m-{module.key()}"
    half = place / ".build-half"
    half.mkdir(parents=True)
    (half / "one").write_bytes(b"half of a program")
    assert _run(build.ensure_built(module, wanted, tmp_path / "store") / "one") == "hello"
    assert not half.exists()
