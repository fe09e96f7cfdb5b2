"""Sources of the roster: the cluster, or files."""

import asyncio
import logging
from pathlib import Path
from typing import Final, Protocol

from pydantic import ValidationError

from boardroom.api.manifest import ManifestError
from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults
from boardroom.coordinator.board.files import BoardFiles, Stamp
from boardroom.coordinator.board.roster import Roster, build, read_agent
from boardroom.coordinator.changes import Changes
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM
from boardroom.kube.protocol import Kube, Selection
from boardroom.kube.reflector import Reflector

FILE_SECONDS: Final = 2.0
_LOG = logging.getLogger(__name__)


class Source(Protocol):
    """Keeps a roster, which is None until the board is known: `problem` then says why. Notifies of another roster."""

    roster: Roster | None
    problem: str

    async def run(self) -> None:
        """Keep the roster up to date, for ever."""


class LiveSource:
    """Reads the board's objects in one namespace, by two watches."""

    def __init__(self, kube: Kube, board: str, namespace: str, defaults: Defaults, changes: Changes) -> None:
        self.roster: Roster | None = None
        self.problem = "the Boardroom has not been read from the API server yet"
        self._changes = changes
        self._board, self._namespace, self._defaults = board, namespace, defaults
        self._boards = Reflector(
            kube, BOARDROOM, Selection(namespace=namespace, fields=f"metadata.name={board}"), self._changed
        )
        self._agents = Reflector(
            kube,
            BOARDAGENT,
            Selection(namespace=namespace, fields=f"spec.boardroomRef.name={board}"),
            self._changed,
        )
        self._dirty = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._boards.run())
            group.create_task(self._agents.run())
            group.create_task(self._rebuild())

    def _changed(self) -> None:
        self._dirty.set()

    async def _rebuild(self) -> None:
        """Build one roster for all events that came together, for ever."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if self._boards.synced and self._agents.synced:
                self._read()
                self._changes.notify()
            await asyncio.sleep(0.02)

    def _read(self) -> None:
        live = self._boards.objects.get(self._board)
        if live is None:
            self.roster = None
            self.problem = f"there is no Boardroom {self._board!r} in namespace {self._namespace!r}"
            return
        try:
            board = Boardroom.model_validate(live)
        except ValidationError as error:
            self.problem = f"Boardroom {self._board!r} can't be read: {error.errors()[0]['msg']}"
            _LOG.warning("the Boardroom can't be read", extra={"error": str(error)})
            return
        agents = [read_agent(agent) for agent in self._agents.objects.values()]
        self.roster = build(board, agents, self._defaults)


class FileSource:
    """Reads YAML or JSON in a file or a directory, again when it changes. Files that can't be read change nothing."""

    def __init__(
        self, path: Path, board: str | None, defaults: Defaults, adapters_root: str | None, changes: Changes
    ) -> None:
        self.roster: Roster | None = None
        self.problem = ""
        self._changes = changes
        self._files, self._board, self._defaults, self._root = BoardFiles(path), board, defaults, adapters_root
        self._stamp: Stamp = ()

    def load(self) -> None:
        """Read the files now; raises ManifestError and OSError."""
        stamp = self._files.stamp()  # before they are read: what is written meanwhile is read next time
        board, agents = self._files.read(self._board)
        self._stamp = stamp
        self.roster = build(board, agents, self._defaults, self._root)
        self._changes.notify()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FILE_SECONDS)
            try:
                if self._files.stamp() != self._stamp:
                    self.load()
            except (OSError, ManifestError) as error:
                if str(error) != self.problem:
                    _LOG.warning("the board can't be read again; it stays as it was", extra={"error": str(error)})
                self.problem = str(error)
