"""The state of each adapter over all LoRAX servers of a board. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.adapter_state import AdapterPhase, AdapterState

_BEST_FIRST = (AdapterPhase.READY, AdapterPhase.FAILED, AdapterPhase.UNKNOWN)


@dataclass(frozen=True, slots=True)
class AdapterAggregate:
    """An adapter's best state over all servers, and the number of servers on which it has answered."""

    best: AdapterState
    ready: int
    servers: int


class AdapterSummary:
    """The registries of all servers, read as one. An adapter is ready if at least one server answered through it."""

    def __init__(self, registries: Sequence[AdapterRegistry]) -> None:
        self._registries = registries

    def __getitem__(self, path: str) -> AdapterAggregate:
        states = [registry[path] for registry in self._registries] or [AdapterState(path=path)]
        best = min(states, key=lambda s: _BEST_FIRST.index(s.phase))
        return AdapterAggregate(best, sum(s.phase is AdapterPhase.READY for s in states), len(self._registries))

    def ready(self) -> set[str | None]:
        """Adapters that have answered on some server since it started."""
        return {path for registry in self._registries for path in registry.ready()}
