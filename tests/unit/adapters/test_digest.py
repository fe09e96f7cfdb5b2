"""The digest of an adapter's files."""

import time
from pathlib import Path

import pytest

from boardroom.adapters.digest import Digests, is_racy
from boardroom.adapters.files import File


def file(path: Path, *, age: float = 60.0) -> File:
    """As a scan would find it, so many seconds after its last change."""
    stat = path.stat()
    changed = time.time_ns() - int(age * 1e9)
    return File(path, path.name, stat.st_size, changed, changed, stat.st_ino, stat.st_dev)


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    return [tmp_path / "a", tmp_path / "b"]


def test_the_order_of_files_does_not_matter_and_their_names_do(pair: list[Path], tmp_path: Path) -> None:
    a, b = map(file, pair)
    whole = Digests().of([a, b])
    turned = Digests().of([b, a])
    renamed = Digests().of([file(pair[0].rename(tmp_path / "c")), b])
    assert (turned == whole, renamed == whole) == (True, False)


def test_an_old_file_is_hashed_once_and_a_young_one_each_time(pair: list[Path]) -> None:
    digests = Digests()
    old, young = file(pair[0]), file(pair[1], age=0.5)
    before = digests.of([old]), digests.of([young])
    for path in pair:
        path.write_text("X")
    after = digests.of([old]), digests.of([young])
    assert [was == now for was, now in zip(before, after, strict=True)] == [True, False]


def test_no_more_hashes_are_kept_than_there_is_room_for(pair: list[Path]) -> None:
    digests = Digests(capacity=1)
    a, b = map(file, pair)
    first = digests.of([a])
    digests.of([b])
    pair[0].write_text("X")
    assert digests.of([a]) != first


@pytest.mark.parametrize(("age", "racy"), [(0.0, True), (1.5, True), (3.0, False)])
def test_a_file_that_has_just_changed_may_change_unseen(pair: list[Path], age: float, racy: bool) -> None:
    assert is_racy(file(pair[0], age=age)) is racy
