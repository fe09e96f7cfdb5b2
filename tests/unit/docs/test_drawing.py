"""docs/architecture.svg is what its source draws, and has the rooms that there are."""

import re
import tomllib

from tools.drawing import FILE, render
from tools.pages import ROOT

CODE = ROOT / "operator" / "boardroom"
NAMED = set(re.findall(r"\b([a-z_]+)/", re.sub(r"<style>.*?</style>|<[^>]+>", " ", render(), flags=re.DOTALL)))
"""What is written with a slash behind it."""


def test_the_drawing_is_what_its_source_draws() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_room_is_in_the_drawing_and_in_the_table_of_the_page() -> None:
    rooms = {path.parent.name for path in CODE.glob("*/__init__.py")}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert rooms - NAMED == set()
    assert set(re.findall(r"^\| `([a-z]+)/` \|", page, re.MULTILINE)) == rooms


def test_the_table_of_the_page_is_in_the_order_that_make_lint_holds() -> None:
    """A room imports only rooms above it: the contract lists them from the top, the page from the bottom."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["id"] == "rooms")["layers"]
    floors = {room.split(".")[1]: floor for floor, layer in enumerate(layers) for room in layer.split(" | ")}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    order = [floors[room] for room in re.findall(r"^\| `([a-z]+)/` \|", page, re.MULTILINE) if room in floors]
    assert order == sorted(order, reverse=True)


def test_the_drawing_names_only_rooms_and_their_folders() -> None:
    assert {name for name in NAMED if not (CODE / name).is_dir() and not list(CODE.glob(f"*/{name}"))} == set()


def test_the_page_names_only_files_that_there_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = re.findall(r"`([a-z_]+/[\w/.]*)`", page)
    assert [file for file in files if not (CODE / file).exists() and not (ROOT / file).exists()] == []
