"""What is known of each adapter: a small state machine per adapter, fed by probes, failures and the sidecar.

LoRAX tells nothing about adapters, a request is a load, and each failed load evicts a good adapter (LORAX.md, traps 0,
1 and 6). So no question is sent to a failed adapter: its member is absent at once, with the cause that LoRAX gave, and
the prober tries again when the back-off is over.

A book tells of one incarnation of its server: the process from its start to its end. A result carries what was asked
(`Asked`), and one of an earlier incarnation changes nothing.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from boardroom.adapters.compatibility import MISSING, AdapterFiles
from boardroom.coordinator.backends.adapter_failures import crowds_out, delay, reason
from boardroom.coordinator.backends.incarnation import CHANGED, UNCONFIRMED, UNTOLD, Asked, incarnation
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError

COLD_QUEUE_MS: Final = 20.0
"""LoRAX loads adapters while a request queues, and x-queue-time is the only sign of it: of an adapter that has not
answered yet a wait above this counts as its load. Of one that has, a wait tells nothing: it queues for the GPU."""

DOWNLOADING: Final = "Downloading"
_OF_FILES: Final = frozenset({MISSING, "AdapterInvalid"})
"""Problems of files that LoRAX does not read again: what it has loaded speaks on."""


def load_ms(queue_ms: float | None) -> int | None:
    """How long LoRAX loaded an adapter that answered for the first time after a wait of `queue_ms` in its queue."""
    return None if queue_ms is None or queue_ms < COLD_QUEUE_MS else round(queue_ms)


class AdapterState(StrEnum):
    """unknown: not asked since LoRAX started. ready: it has answered since. failed: LoRAX could not load it."""

    UNKNOWN = "unknown"
    READY = "ready"
    FAILED = "failed"


class AdapterRecord:
    """One adapter. `path` is the directory that LoRAX reads, which is its id there."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.state = AdapterState.UNKNOWN
        self.finding: AdapterFiles | None = None
        self.error: EngineError | None = None
        self.fault = ""
        """The reason of AdapterReady=False."""
        self.failures = 0
        self.retry_at = 0.0
        self.loaded_digest: str | None = None
        """Digest of the files when LoRAX first answered through them."""
        self.replaced = False
        """Files changed under a path that LoRAX has loaded: it does not read them again (trap 4)."""
        self.confirmed = True
        """Whether the sidecar has been asked since LoRAX last loaded adapters: before, they may have changed."""
        self.load_ms: int | None = None
        self.last_probe: datetime | None = None

    @property
    def cause(self) -> str:
        """Why the last load failed."""
        return str(self.error or "")

    @property
    def refusal(self) -> str | None:
        """Why nothing is sent: LoRAX would get it wrong (trap 9), or fail to load it and evict another for that (trap
        1), or it is not fetched yet.
        """
        finding = self.finding
        if finding is None:
            return None if self.path.startswith("/") else f"{self.path} has not been fetched yet"
        speaks_on = self.state is AdapterState.READY and finding.problem in _OF_FILES
        return None if finding.problem is None or speaks_on else finding.message

    @property
    def crowded_out(self) -> bool:
        """Whether LoRAX can serve it, but not together with the others."""
        return crowds_out(self.error)

    @property
    def failing(self) -> bool:
        """Whether no question is sent to it."""
        return self.refusal is not None or self.state is AdapterState.FAILED

    @property
    def digest(self) -> str | None:
        """The weights that speak; None where that can't be known."""
        return self.loaded_digest if self.confirmed and not self.replaced else None

    @property
    def nameless(self) -> str:
        """Why there is no digest."""
        return CHANGED if self.replaced else UNTOLD if self.loaded_digest is None else UNCONFIRMED


class AdapterRegistry:
    """The records of all adapters that the board's members name."""

    def __init__(self, clock: Callable[[], float], on_change: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._records: dict[str, AdapterRecord] = {}
        self._loads_ended = -math.inf
        self.incarnation = incarnation()
        """Which incarnation of the server the records tell of; no two have the same, whoever watches over them."""
        self.ended_unseen: tuple[str, ...] = ()
        """Incarnations whose end nobody saw: what they were asked, the next one may have answered."""
        self.on_change = on_change

    def __getitem__(self, path: str) -> AdapterRecord:
        record = self._records.get(path)
        if record is None:
            record = self._records[path] = AdapterRecord(path)
        return record

    def keep(self, paths: Iterable[str]) -> None:
        """Make records for these adapters, and forget the others."""
        wanted = sorted(set(paths))
        if wanted != list(self._records):
            fewer = not self._records.keys() <= set(wanted)
            self._records = {path: self[path] for path in wanted}
            if fewer:
                self.doubt(path for path, record in self._records.items() if record.crowded_out)
            self.on_change()

    def found(self, findings: Mapping[str, AdapterFiles]) -> None:
        """Take in what is known of their files; new files or a new problem are a reason to try again at once."""
        for record in self._records.values():
            finding = findings.get(record.path)
            if finding is None:
                continue
            if record.finding != finding:
                self._renew(record, finding)
                self.on_change()
            record.finding = finding

    def gate(self, path: str) -> EngineError | None:
        """Why no question may be sent to this adapter, as far as known."""
        record = self[path]
        if record.refusal is not None:
            progress = record.finding.progress if record.finding else ""
            return AdapterFailed(AdapterFault.REFUSED, record.refusal + progress)
        return record.error if record.state is AdapterState.FAILED else None

    def proved(self, path: str) -> bool:
        """Whether it has answered since LoRAX started."""
        return self[path].state is AdapterState.READY

    def asked(self, path: str | None) -> Asked:
        """What a request that leaves now is sent to (None: the base model)."""
        record = self._records.get(path) if path is not None else None
        return Asked(self.incarnation, record.finding.digest if record is not None and record.finding else None)

    def answered(self, path: str, queue_ms: float | None, asked: Asked) -> None:
        """It gave a probe tokens; `queue_ms` is the wait before, in which LoRAX loads an adapter that it lacks.

        Its weights are those that lay there both when the probe left and when it was answered.
        """
        record = self[path]
        if asked.incarnation != self.incarnation or record.state is AdapterState.READY:
            return
        digest = record.finding.digest if record.finding else None
        moved = None not in (digest, asked.digest) and digest != asked.digest
        record.replaced = moved or record.loaded_digest not in (digest, None)
        record.loaded_digest = record.loaded_digest or digest
        record.state, record.failures, record.error, record.fault = AdapterState.READY, 0, None, ""
        record.load_ms = load_ms(queue_ms)
        record.last_probe = datetime.now(UTC)
        self.on_change()

    def failed(self, path: str, error: EngineError, asked: Asked) -> None:
        """A request failed. Only what tells about the adapter changes its state: an adapter failure always, a failed
        generation or a timeout where the adapter has never answered.
        """
        record = self[path]
        tells = isinstance(error, AdapterFailed) or (error.code in ("generation", "timeout") and not self.proved(path))
        if asked.incarnation != self.incarnation or not tells:
            return
        if record.state is not AdapterState.FAILED or self._clock() >= record.retry_at:
            # of all that are under way the first to fail is the try, and the others say the same again
            record.failures += 1
            record.retry_at = self._clock() + delay(error, record.failures)
        record.state, record.error, record.fault = AdapterState.FAILED, error, reason(error)
        record.loaded_digest, record.replaced, record.load_ms = None, False, None
        record.last_probe = datetime.now(UTC)
        self.on_change()

    def restarted(self, *, seen: bool = True) -> None:
        """Another incarnation: nothing is loaded, and what failed may work now. `seen` is whether the end of the one
        before was noticed before the next could be asked.
        """
        if not seen:
            self.ended_unseen = (*self.ended_unseen, self.incarnation)[-8:]
        for record in self._records.values():
            record.loaded_digest, record.replaced, record.load_ms = None, False, None
        self.begin()

    def begin(self) -> None:
        """Somebody else watches over the server from now on, or it has started anew: nothing is proved."""
        self.incarnation = incarnation()
        self.doubt()

    def load(self) -> None:
        """A wave begins: LoRAX may load any of the adapters, from files that may change meanwhile."""
        self._loads_ended = math.inf
        for record in self._records.values():
            record.confirmed = False

    def loaded(self) -> None:
        """The wave is over."""
        self._loads_ended = self._clock()

    def confirm(self, looked: float) -> None:
        """The sidecar was asked at that time, on the clock, and what it found has been taken in."""
        late = [r for r in self._records.values() if not r.confirmed] if looked >= self._loads_ended else []
        for record in late:
            record.confirmed = True
        if late:
            self.on_change()

    def doubt(self, paths: Iterable[str] | None = None) -> None:
        """What was proved (None: of every adapter) is to be proved again, and what failed tried again; what LoRAX has
        loaded stays known.
        """
        records = (
            list(self._records.values()) if paths is None else [self._records[p] for p in paths if p in self._records]
        )
        for record in records:
            record.state, record.failures, record.retry_at = AdapterState.UNKNOWN, 0, 0.0
            record.error, record.fault = None, ""
        if records:
            self.on_change()

    @property
    def records(self) -> tuple[AdapterRecord, ...]:
        """The record of every adapter."""
        return tuple(self._records.values())

    def unproved(self) -> list[str]:
        """Adapters that a probe may be sent to now."""
        now = self._clock()
        return [
            r.path
            for r in self._records.values()
            if r.refusal is None
            and (r.state is AdapterState.UNKNOWN or (r.state is AdapterState.FAILED and now >= r.retry_at))
        ]

    def ready(self) -> list[str]:
        """Adapters that have answered since LoRAX started."""
        return [r.path for r in self._records.values() if r.state is AdapterState.READY]

    def unseen(self) -> bool:
        """Whether the sidecar has not said yet what lies there for some adapter."""
        return any(r.finding is None for r in self._records.values())

    def states(self) -> list[AdapterState]:
        """The state of every adapter."""
        return [r.state for r in self._records.values()]

    def next_retry(self) -> float | None:
        """When (on the clock) the next failed adapter may be tried again."""
        times = [r.retry_at for r in self._records.values() if r.state is AdapterState.FAILED and r.refusal is None]
        return min(times, default=None)

    def _renew(self, record: AdapterRecord, finding: AdapterFiles) -> None:
        old, record.finding = record.finding, finding
        if old is None:
            if record.state is AdapterState.READY:
                record.loaded_digest = finding.digest
            return
        if record.state is AdapterState.FAILED:
            record.state, record.failures, record.retry_at = AdapterState.UNKNOWN, 0, 0.0
            record.error, record.fault = None, ""
        elif record.state is AdapterState.READY and finding.digest not in (None, record.loaded_digest):
            record.state = AdapterState.UNKNOWN
