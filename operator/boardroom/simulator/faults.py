"""Fault injection: kinds, adapters and rates of faults, set by flags or by POST /simulator/faults."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Any, Final, Literal

import msgspec

Kind = Literal["latency", "error", "slow-adapter", "failing-adapter", "crash", "hang", "slow-stream", "drop"]
Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]

KINDS: Final = {
    "latency": "requests wait `seconds` before anything else",
    "error": "requests fail with `error`: generation, overloaded, validation, incomplete, batch (a forward pass fails "
    "with every request in it), unhealthy (/health answers 503)",
    "slow-adapter": "an adapter's download takes `seconds` longer, and delays every load behind it",
    "failing-adapter": "an adapter's download fails with `message`",
    "crash": "the process exits in a forward pass, after `after` successful ones",
    "hang": "the model server hangs, /health too, for `seconds` or until the fault is removed",
    "slow-stream": "each event of a stream is sent in two halves, `seconds` apart",
    "drop": "the connection closes after `after` events, or in the middle of a whole answer",
}


class FaultError(ValueError):
    """A fault that can't be parsed; the message says why."""


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fault. `adapter` is a pattern of adapter ids (fnmatch): "" is the base model, None is every adapter."""

    kind: Kind
    adapter: str | None = None
    rate: Rate = 1.0
    """The share of requests that the fault hits."""
    times: Count | None = None
    """Number of times that the fault triggers before it is removed."""
    seconds: Seconds | None = None
    error: Literal["generation", "overloaded", "validation", "incomplete", "batch", "unhealthy"] = "generation"
    message: str | None = None
    after: Count = 0
    id: Count = 0
    """Assigned by the server."""

    @property
    def pause(self) -> float:
        """`seconds`, by default 1."""
        return 1.0 if self.seconds is None else self.seconds


class Faults:
    """The active faults. All faults draw from one seeded generator, so that a run can be repeated."""

    def __init__(self, faults: Iterable[Fault], random: Random) -> None:
        self._faults: dict[int, Fault] = {}
        self._random = random
        self._last = 0
        self._removed = asyncio.Event()
        for fault in faults:
            self.add(fault)

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults.values()))

    def add(self, fault: Fault) -> Fault:
        """Activate a fault; return it with its id."""
        self._last += 1
        fault = msgspec.structs.replace(fault, id=self._last)
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: int | None = None) -> bool:
        """Remove one fault, or all; return whether there was any."""
        ids = [fault_id] if fault_id in self._faults else list(self._faults) if fault_id is None else []
        for id_ in ids:
            del self._faults[id_]
        self._removed.set()
        return bool(ids)

    def trigger(self, kind: Kind, adapter_ids: Sequence[str] = ("",), *, error: str | None = None) -> Fault | None:
        """Return the first fault of this kind that triggers now, and count it; None if none does."""
        for fault in self._faults.values():
            if fault.kind != kind or (error is not None and fault.error != error):
                continue
            pattern = fault.adapter
            if pattern is not None and not any(fnmatchcase(adapter_id, pattern) for adapter_id in adapter_ids):
                continue
            if fault.rate < 1 and self._random.random() >= fault.rate:
                continue
            if fault.after and kind == "crash":
                fault.after -= 1
                continue
            self._count_trigger(fault)
            return fault
        return None

    async def wait_while_hung(self) -> None:
        """Wait until no fault of kind hang is active."""
        while fault := next((fault for fault in self._faults.values() if fault.kind == "hang"), None):
            self._removed.clear()
            try:
                async with asyncio.timeout(fault.seconds):
                    await self._removed.wait()
            except TimeoutError:
                self._faults.pop(fault.id, None)

    def _count_trigger(self, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self._faults.pop(fault.id, None)


def parse_fault(text: str) -> Fault:
    """Parse a fault from a flag, `KIND` or `KIND:key=value,key=value`; raises FaultError."""
    kind, _, rest = text.partition(":")
    pairs = (pair.partition("=") for pair in rest.split(",") if pair)
    return convert_fault({"kind": kind, **{key.strip(): value for key, _, value in pairs}})


def convert_fault(fields: Any) -> Fault:
    """Build a fault from its fields; numbers may be text. Raises FaultError."""
    try:
        return msgspec.convert(fields, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise FaultError(f"{error}; kinds are {', '.join(KINDS)}") from error
