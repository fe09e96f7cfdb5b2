"""A board from YAML or JSON: one file, or all files of a directory, as `kubectl -f` takes them."""

from pathlib import Path
from typing import Final

from boardroom.api.manifest import ManifestError, read_manifests
from boardroom.api.resources import BoardAgent, Boardroom

_SUFFIXES: Final = (".yaml", ".yml", ".json")
Stamp = tuple[tuple[Path, int], ...]


class BoardFiles:
    """The files at a path, which are read on demand only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> Stamp:
        """The files, and when each was written; another stamp means that there is something new to read."""
        return tuple((file, file.stat().st_mtime_ns) for file in self._files())

    def read(self, board: str | None) -> tuple[Boardroom, list[BoardAgent]]:
        """The board of that name, or the only one, and the agents in its namespace that name no other board here.

        Raises ManifestError and OSError.
        """
        boards, agents = read_manifests((str(file), _text(file)) for file in self._files())
        if not boards:
            raise ManifestError(
                f"{self._path} holds no Boardroom: give a file with one, such as those in manifests/examples"
            )
        chosen = [b for b in boards if board in (None, b.metadata.name)]
        if len(chosen) != 1:
            names = ", ".join(b.metadata.name for b in boards)
            raise ManifestError(f"{self._path} holds the Boardrooms {names}: name one of them with --board")
        others = {b.metadata.name for b in boards} - {chosen[0].metadata.name}
        own = [agent for agent in agents if agent.spec.boardroom_ref.name not in others]
        return chosen[0], [agent for agent in own if _beside(chosen[0], agent)]

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        files = self._path.iterdir()
        return sorted(f for f in files if f.suffix in _SUFFIXES and not f.name.startswith(".") and f.is_file())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file}: it is no UTF-8 text: {error}") from error


def _beside(board: Boardroom, agent: BoardAgent) -> bool:
    """Whether both are in one namespace; an object that names none is in the namespace that kubectl is given."""
    namespaces = [o.metadata.namespace for o in (board, agent) if "namespace" in o.metadata.model_fields_set]
    return len(set(namespaces)) <= 1
