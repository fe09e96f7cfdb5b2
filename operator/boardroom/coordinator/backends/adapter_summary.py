"""What is known of each adapter over all LoRAX servers of a board. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from boardroom.coordinator.backends.adapter_state import AdapterRecord, AdapterRegistry, AdapterState

_BEST_FIRST = (AdapterState.READY, AdapterState.FAILED, AdapterState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Proof:
    """One adapter: the record of the server where it does best, and on how many servers it has answered."""

    record: AdapterRecord
    ready: int
    servers: int


class Books:
    """The books of all servers, read as one: an adapter is ready where at least one server has answered through it."""

    def __init__(self, books: Sequence[AdapterRegistry]) -> None:
        self._books = books

    def __getitem__(self, path: str) -> Proof:
        records = [book[path] for book in self._books] or [AdapterRecord(path)]
        best = min(records, key=lambda r: _BEST_FIRST.index(r.state))
        return Proof(best, sum(r.state is AdapterState.READY for r in records), len(self._books))

    def ready(self) -> set[str]:
        """Adapters that have answered on some server since it started."""
        return {path for book in self._books for path in book.ready()}
