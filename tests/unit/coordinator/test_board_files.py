"""A board out of files, as `kubectl -f` takes them."""

from pathlib import Path

import pytest

from boardroom.api.manifest import ManifestError
from boardroom.coordinator.board.files import BoardFiles

BOARD = "apiVersion: boardroom.dev/v1alpha1\nkind: Boardroom\nmetadata: {name: b}\nspec: {model: {id: m}}\n"


def member(name: str, *, board: str = "b", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return (
        f"apiVersion: boardroom.dev/v1alpha1\nkind: BoardAgent\nmetadata: {{name: {name}{where}}}\n"
        f"spec: {{boardroomRef: {{name: {board}}}, role: {name}}}\n"
    )


def names(path: Path, board: str | None = None) -> tuple[str, list[str]]:
    found, agents = BoardFiles(path).read(board)
    return found.metadata.name, [agent.metadata.name for agent in agents]


def test_the_files_of_a_directory_are_one_board(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    (tmp_path / "ceo.yml").write_text(member("ceo"))
    (tmp_path / "cfo.json").write_text('{"apiVersion": "v1", "kind": "List", "items": []}')
    (tmp_path / "README.md").write_text("a: [")
    (tmp_path / ".ceo.yaml").write_text("a: [")
    (tmp_path / "deeper.yaml").mkdir()
    assert names(tmp_path) == ("b", ["ceo"])


def test_a_file_at_fault_is_named_with_its_document(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    (tmp_path / "ceo.yaml").write_text(f"---\n{member('ceo')}---\n{member('1st').replace('name: 1st}', 'name: cfo}')}")
    with pytest.raises(ManifestError) as refused:
        names(tmp_path)
    assert str(refused.value).startswith(
        f"{tmp_path}/ceo.yaml: document 2, BoardAgent 'cfo': spec.role: '1st' does not"
    )


def test_no_object_stands_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BOARD)
    (tmp_path / "b.yaml").write_text(BOARD)
    with pytest.raises(ManifestError) as refused:
        names(tmp_path)
    where = f"{tmp_path}/a.yaml: document 1"
    assert str(refused.value) == f"{tmp_path}/b.yaml: document 1: Boardroom 'b' is in {where} already: leave one out"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"a\.yaml: it is no UTF-8 text"):
        names(tmp_path)


def test_the_agents_of_another_board_here_are_left_out_and_those_of_none_are_not(tmp_path: Path) -> None:
    other = BOARD.replace("name: b", "name: c")
    agents = [member("ceo"), member("cfo", board="c"), member("coo", board="d")]
    (tmp_path / "a.yaml").write_text("---\n".join([BOARD, other, *agents]))
    assert names(tmp_path, "b") == ("b", ["ceo", "coo"])


def test_a_member_sits_on_a_board_of_its_own_namespace(tmp_path: Path) -> None:
    """A list of all namespaces holds boards and members of the same names."""
    board = BOARD.replace("name: b", "name: b, namespace: one")
    (tmp_path / "a.yaml").write_text("---\n".join([board, member("ceo", namespace="two"), member("cfo")]))
    assert names(tmp_path) == ("b", ["cfo"])


@pytest.mark.parametrize(("text", "board", "words"), [("", None, "holds no Boardroom"), (BOARD, "x", "Boardrooms b:")])
def test_a_board_that_is_not_there_is_said(tmp_path: Path, text: str, board: str | None, words: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ManifestError, match=words):
        names(tmp_path, board)


def test_a_file_more_is_a_change(tmp_path: Path) -> None:
    files = BoardFiles(tmp_path)
    (tmp_path / "a.yaml").write_text(BOARD)
    before = files.stamp()
    assert files.stamp() == before
    (tmp_path / "b.yaml").write_text(member("ceo"))
    assert files.stamp() != before
