"""The coordinator's own code on virtual time: its board, adapters volume and LoRAX are data that a story moves."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.wire import Wire
from boardroom.adapters import read
from boardroom.adapters.protocol import AdapterFiles
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.settings import Defaults
from boardroom.coordinator.backends.endpoints import GivenEndpoint
from boardroom.coordinator.backends.sidecar import SidecarClient, SidecarReport
from boardroom.coordinator.board.roster import Roster, build
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.coordinator import Coordinator
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.simulator.model_server.signature import signature
from boardroom.simulator.settings import Settings

MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
SALT = "only the bench knows"
SMALL = Shape(base_model=MODEL, layers=1, hidden=16)
ADAPTER_BYTES = 1664
"""Of the tensors of one such adapter."""
BASE = "the base model"
_API = {"apiVersion": "boardroom.dev/v1alpha1"}
_SIGNATURE = re.compile(r"\[simulated signature=([0-9a-f]{16})")


@dataclass
class Volume:
    """The adapters volume: each version of each role's adapter in its own directory, with its signature."""

    root: Path
    found: dict[str, AdapterFiles] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=lambda: {signature(SALT, MODEL, "", ""): BASE})
    """Path of the adapter by signature."""

    def make(self, name: str) -> str:
        """Write an adapter; returns its path, by which LoRAX knows it."""
        path = self.root / name
        make_one(path, name, SMALL)
        adapter = read(path)
        if adapter.digest is None:
            raise RuntimeError(f"{path} was written and has no digest")
        self.found[name] = AdapterFiles(digest=adapter.digest, rank=SMALL.rank, base_model=MODEL)
        self.signatures[signature(SALT, MODEL, str(path), adapter.digest)] = str(path)
        return str(path)

    def signer(self, text: str) -> str | None:
        """Which weights signed an answer: an adapter's path, BASE, or None if no weights here have the signature."""
        match = _SIGNATURE.match(text)
        return self.signatures.get(match[1]) if match else None

    def role(self, path: str) -> str:
        """Whose adapter it is, by its directory's name."""
        return Path(path).name.partition("-")[0].upper()

    def digest(self, path: str) -> str | None:
        """What was written there."""
        found = self.found.get(Path(path).name)
        return found.digest if found else None


class VolumeFindings(SidecarClient):
    """What the adapters sidecar would say of the volume."""

    def __init__(self, volume: Volume) -> None:
        super().__init__("")
        self.report = SidecarReport(volume=volume.found)

    async def poll(self) -> bool:
        return True


class Members:
    """Implements `boardroom.coordinator.board.sources.Source`: the members of the board and their adapters."""

    problem = ""

    def __init__(self, volume: Volume, *, tokens: int, places: int = 100) -> None:
        """LoRAX has `places` for adapters; agents beyond them are not accepted."""
        self._volume = volume
        self._tokens = tokens
        self._places = places
        self._names: dict[str, str] = {}
        self.roster: Roster | None = None
        self.changes = Changes()

    @property
    def adapters(self) -> dict[str, str]:
        """Path of the adapter by role."""
        return {role: str(self._volume.root / name) for role, name in self._names.items()}

    def set(self, adapters: Mapping[str, str]) -> None:
        """The board from now on: the adapter's name on the volume by role."""
        self._names = dict(adapters)
        board = Boardroom.model_validate(
            _API
            | {
                "kind": "Boardroom",
                "metadata": {"name": "executive", "namespace": "bench", "uid": "bench", "generation": 1},
                "spec": {"model": {"id": MODEL}, "maxMembers": 256, "lorax": {"adapterCacheSize": self._places}},
            }
        )
        self.roster = build(board, list(self._agents()), Defaults(), str(self._volume.root))
        self.changes.notify()

    async def run(self) -> None:
        await asyncio.Event().wait()

    def _agents(self) -> Iterable[BoardAgent]:
        for role, name in self._names.items():
            spec = {
                "boardroomRef": {"name": "executive"},
                "role": role,
                "adapter": {"path": name},
                "generation": {"maxNewTokens": self._tokens},
            }
            meta = {"name": role.lower(), "namespace": "bench", "uid": role, "generation": 1}
            yield BoardAgent.model_validate(_API | {"kind": "BoardAgent", "metadata": meta, "spec": spec})


@asynccontextmanager
async def coordinated(members: Members, volume: Volume, wire: Wire) -> AsyncIterator[Coordinator]:
    """Their coordinator, running."""
    coordinator = Coordinator(
        members,
        members.changes,
        endpoints=GivenEndpoint(wire.url, wire.url),
        engine=lambda _: LoraxEngine("", wire),
        sidecar=lambda _url, _wanted: VolumeFindings(volume),
        max_in_flight=1024,
    )
    async with coordinator.running():
        yield coordinator


def settings(
    *,
    stale_ready_probability: float,
    seed: int = 0,
    max_active_adapters: int = 100,
    memory_for: int | None = None,
) -> Settings:
    """LoRAX as the operator starts it, by default, with its bugs; memory for all adapters, or for so many."""
    usual = Settings()
    little = (memory_for or 0) * ADAPTER_BYTES * 1.01 / (usual.cost.gpu_memory_gb * 1e9)
    return Settings(
        model_id=MODEL,
        adapter_source="local",
        identity_salt=SALT,
        max_active_adapters=max_active_adapters,
        max_concurrent_requests=128,
        adapter_memory_fraction=usual.adapter_memory_fraction if memory_for is None else little,
        stale_ready_probability=stale_ready_probability,
        random_seed=seed,
    ).checked()
