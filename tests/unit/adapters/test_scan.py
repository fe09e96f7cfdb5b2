"""boardroom.adapters.Scanner: every adapter below a mount."""

import time
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters import Adapter, Scanner, adapter, scan
from boardroom.adapters.synthetic import Shape, make
from boardroom.api.adapter import MAX_ADAPTER_DEPTH


def names(root: Path) -> list[str]:
    return [found.name for found in Scanner(root).scan()]


def test_adapters_are_listed_by_name_at_any_depth(tmp_path: Path) -> None:
    make(tmp_path, ["cto", "ceo"], Shape())
    make(tmp_path / "finance" / "v2", ["cfo"], Shape())
    assert names(tmp_path) == ["ceo_lora_adapter", "cto_lora_adapter", "finance/v2/cfo_lora_adapter"]


def test_an_empty_directory_is_a_member_whose_files_are_missing(tmp_path: Path) -> None:
    (tmp_path / "coo_lora_adapter").mkdir()
    (found,) = Scanner(tmp_path).scan()
    assert found.adapter.problem is not None
    assert (found.name, found.adapter.problem.reason) == ("coo_lora_adapter", "AdapterMissing")


def test_hidden_directories_and_the_root_itself_are_no_adapters(tmp_path: Path) -> None:
    make(tmp_path / "..data", ["ceo"], Shape())
    (tmp_path / "lost+found").mkdir()
    assert names(tmp_path) == []


def test_links_are_followed_inside_the_root_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root / "..2026", ["ceo"], Shape())
    make(tmp_path / "outside", ["cfo"], Shape())
    (root / "ceo").symlink_to(root / "..2026" / "ceo_lora_adapter")
    (root / "cfo").symlink_to(tmp_path / "outside" / "cfo_lora_adapter")
    assert [(found.name, found.adapter.problem) for found in Scanner(root).scan()] == [("ceo", None)]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path / "a")
    assert len(names(tmp_path)) <= MAX_ADAPTER_DEPTH


def test_a_link_in_a_circle_hides_no_neighbour(tmp_path: Path) -> None:
    for place in range(20):  # the order in which a directory is listed is nobody's to choose
        (tmp_path / f"{place}-circle").symlink_to(tmp_path / f"{place}-circle")
        make(tmp_path, [f"member{place}"], Shape())
    assert names(tmp_path) == sorted(f"member{place}_lora_adapter" for place in range(20))


def test_a_missing_root_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent: no such directory; is the adapters volume mounted"):
        Scanner(tmp_path / "absent").scan()


def test_a_second_scan_reads_only_what_changed_and_what_has_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, ["ceo", "cfo", "cto"], Shape())
    (tmp_path / "cfo_lora_adapter" / "adapter_config.json").write_text("{}")
    looked_at: list[str] = []

    def describe(directory: Path, *args: Any) -> Adapter:
        looked_at.append(directory.name)
        return adapter.describe(directory, *args)

    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3_600_000_000_000)  # no file is young any more
    monkeypatch.setattr(scan, "describe", describe)
    scanner = Scanner(tmp_path)
    assert [found.adapter.problem is None for found in scanner.scan()] == [True, False, True]
    looked_at.clear()
    (tmp_path / "cto_lora_adapter" / "adapter_config.json").touch()
    scanner.scan()
    assert looked_at == ["cfo_lora_adapter", "cto_lora_adapter"]


def test_a_second_scan_sees_what_came_and_went(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape())
    scanner = Scanner(tmp_path)
    scanner.scan()
    make(tmp_path, ["cfo"], Shape())
    (tmp_path / "ceo_lora_adapter").rename(tmp_path / "chair")
    assert [found.name for found in scanner.scan()] == ["cfo_lora_adapter", "chair"]
