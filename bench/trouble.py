"""What happens to a board while it is asked: its members change, and its LoRAX suffers."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from bench.virtual_board import Members, Volume
from boardroom.simulator.faults import Fault
from boardroom.simulator.restarting import RestartingLorax

ROLES = tuple(f"R{index}" for index in range(12))
MEMBERS = range(4, 9)
PAUSE = 4.0
"""Mean seconds between two changes."""
DOWN = (0.1, 4.0)
"""Seconds until the next LoRAX listens: sooner than anybody can be sure to have looked, or later."""

FAULTS = (
    Fault(kind="error", error="batch", rate=0.0003),
    Fault(kind="error", error="generation", rate=0.005),
    Fault(kind="error", error="overloaded", rate=0.01),
    Fault(kind="latency", rate=0.01, seconds=0.5),
    Fault(kind="drop", rate=0.005, after=3),
    Fault(kind="slow-adapter", rate=0.3, seconds=1.0),
    Fault(kind="failing-adapter", rate=0.1),
)


@dataclass
class Trouble:
    """Changes at random, counted by what they were."""

    members: Members
    volume: Volume
    lorax: RestartingLorax
    random: Random
    added: int = 0
    removed: int = 0
    replaced: int = 0
    killed: int = 0
    terminated: int = 0
    _versions: dict[str, int] = field(default_factory=dict)
    _board: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """The first board."""
        for role in ROLES[: MEMBERS.start]:
            self._board[role] = self._version(role)
        self.members.set(self._board)

    async def run(self) -> None:
        """One change after another; returns never."""
        while True:
            await asyncio.sleep(self.random.expovariate(1 / PAUSE))
            await self._change()

    async def _change(self) -> None:
        free = [role for role in ROLES if role not in self._board]
        match self.random.choices(("add", "remove", "replace", "kill", "terminate"), (29, 27, 32, 4, 8))[0]:
            case "add" if len(self._board) < MEMBERS.stop:
                role = self.random.choice(free)
                back = self._versions.get(role, 0) > 0 and self.random.random() < 0.5
                self._board[role] = f"{role.lower()}-v{self._versions[role]}" if back else self._version(role)
                self.added += 1
            case "remove" if len(self._board) > MEMBERS.start:
                del self._board[self.random.choice(list(self._board))]
                self.removed += 1
            case "kill":
                self.killed += 1
                await self.lorax.kill(self.random.uniform(*DOWN))
                return
            case "terminate":
                self.terminated += 1
                await self.lorax.terminate(self.random.uniform(*DOWN))
                return
            case _:
                role = self.random.choice(list(self._board))
                self._board[role] = self._version(role)
                self.replaced += 1
        self.members.set(self._board)

    def _version(self, role: str) -> str:
        self._versions[role] = self._versions.get(role, 0) + 1
        name = f"{role.lower()}-v{self._versions[role]}"
        self.volume.make(name)
        return name
