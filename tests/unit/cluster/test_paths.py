"""Where files go."""

from pathlib import Path

import pytest

from boardroom.cluster import paths


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"BOARDROOM_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/boardroom"),
        ({"HOME": "/h"}, "/h/.cache/boardroom"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/boardroom"),
    ],
)
def test_the_cache(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    _only(monkeypatch, environment)
    assert paths.cache() == Path(expected)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/boardroom"),
        ({"HOME": "/h"}, "/h/.local/state/boardroom"),
    ],
)
def test_the_state(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    _only(monkeypatch, environment)
    assert paths.state() == Path(expected)


def test_what_takes_a_files_place_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with paths.replacing(file) as fresh:
        fresh.write_text("old")
    with pytest.raises(UnicodeEncodeError), paths.replacing(file) as fresh:
        fresh.write_text("half \udc80")
    assert ({path.name for path in tmp_path.iterdir()}, file.read_text()) == ({"file"}, "old")


def _only(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name in ("BOARDROOM_CACHE", "XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
