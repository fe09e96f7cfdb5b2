"""The model server behind the router: one process, one GPU, one call at a time.

LoRAX's server handles its calls in one thread, so a download or a load delays every forward pass and the health check
(docs/lorax.md#serial-loader). A fair lock has the same effect here.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from boardroom.simulator.clock import Clock
from boardroom.simulator.entry import BASE_MODEL, Answer, Entry
from boardroom.simulator.errors import StepError, UnhealthyError
from boardroom.simulator.faults import Faults
from boardroom.simulator.json_schema.compiler import states
from boardroom.simulator.json_schema.text import SchemaError
from boardroom.simulator.model_server.answer import Author
from boardroom.simulator.model_server.compatibility import incompatibility
from boardroom.simulator.model_server.cost import CostModel
from boardroom.simulator.model_server.sources import AdapterSources, SourceError, Weights
from boardroom.simulator.model_server.steps import StepLog

SCHEMAS_KEPT: Final = 32
"""Compiled schemas in LoRAX's cache, which is least recently used."""
CUDA_ERROR: Final = "CUDA error: an illegal memory access was encountered"


class Shard:
    """Has the base model and the loaded adapters, and runs the steps."""

    def __init__(
        self,
        *,
        model_id: str,
        author: Author,
        sources: AdapterSources,
        cost: CostModel,
        clock: Clock,
        adapter_memory_fraction: float,
        faults: Faults,
        crash: Callable[[str], NoReturn],
        type_lists: bool = True,
    ) -> None:
        """`type_lists` says whether this version's schema library takes a list of types."""
        self.model_id = model_id
        self._faults = faults
        self._crash = crash
        self.steps = StepLog()
        self._author = author
        self._sources = sources
        self._cost = cost
        self._clock = clock
        self._adapter_memory = int(cost.gpu_memory_gb * 1e9 * adapter_memory_fraction)
        self._loaded: dict[str, Weights] = {}
        self.loads = 0
        """Adapters loaded onto the GPU so far."""
        self._preloaded: dict[str, float] = {}
        self._type_lists = type_lists
        self._compiled: dict[str, None] = {}
        """The compiled schemas, the most recently used last."""
        self._lock = asyncio.Lock()

    @property
    def loaded(self) -> Sequence[str]:
        """Ids of the adapters on the GPU, in the order of loading."""
        return tuple(self._loaded)

    async def health(self) -> None:
        """Wait for the present call, and return if the server is healthy; raises UnhealthyError."""
        async with self._lock:
            await self._faults.wait_while_hung()
        if self._faults.trigger("error", error="unhealthy"):
            raise UnhealthyError

    async def preload(self, adapter_ids: Sequence[str], source: str) -> None:
        """Load adapters before the first request. No other can load later (docs/lorax.md#preloaded-only).

        Raises SourceError.
        """
        memory = self._cost.gpu_memory_gb * 1e9
        shares = {}
        for adapter_id in adapter_ids:
            size = await asyncio.to_thread(self._sources.download, adapter_id, source, None)
            await self.load(adapter_id, source, None)
            shares[adapter_id] = size / memory
        self._preloaded = shares

    async def download(self, adapter_id: str, source: str, api_token: str | None) -> float:
        """Check an adapter's files; return its share of the memory reserved for adapters. Raises SourceError."""
        async with self._lock:
            if adapter_id == BASE_MODEL:
                return 0.0
            if adapter_id in self._preloaded:
                return self._preloaded[adapter_id]
            await self._apply_faults(adapter_id)
            size = await asyncio.to_thread(self._sources.download, adapter_id, source, api_token)
            await self._clock.sleep(self._cost.download_seconds(size))
            if self._adapter_memory == 0:
                raise SourceError("Memory reserved for adapters is 0. Please set a memory reservation for adapters.")
            if size > self._adapter_memory:
                raise SourceError(
                    f"Adapter {adapter_id} is larger than adapter memory reservation: "
                    f"{size} / {self._adapter_memory} bytes"
                )
            return size / self._adapter_memory

    async def _apply_faults(self, adapter_id: str) -> None:
        await self._faults.wait_while_hung()
        slow = self._faults.trigger("slow-adapter", (adapter_id,))
        if slow is not None:
            await self._clock.sleep(slow.pause)
        failing = self._faults.trigger("failing-adapter", (adapter_id,))
        if failing is not None:
            raise SourceError(failing.message or "No valid adapter config file found: tried None and None")

    async def load(self, adapter_id: str, source: str, api_token: str | None) -> None:
        """Load an adapter onto the GPU; raises SourceError."""
        async with self._lock:
            if adapter_id == BASE_MODEL or adapter_id in self._loaded:
                return
            if self._preloaded:
                raise SourceError(
                    "This model does not support dynamic adapter loading. "
                    "Please initialize a new model instance from the base model and remove preloaded adapters "
                    "to use the dynamic adapter loading feature."
                )
            weights = await asyncio.to_thread(self._sources.load, adapter_id, source, api_token)
            complaint = incompatibility(adapter_id, weights.base_model, self.model_id)
            if complaint is not None:
                raise SourceError(complaint)
            await self._clock.sleep(self._cost.load_seconds(weights.size_bytes))
            self._loaded[adapter_id] = weights
            self.loads += 1

    async def offload(self, adapter_id: str) -> None:
        """Remove an adapter from the GPU, unless it was preloaded."""
        async with self._lock:
            if adapter_id not in self._preloaded:
                self._loaded.pop(adapter_id, None)

    async def prefill(self, entries: Sequence[Entry]) -> None:
        """Process the prompts and emit the first token of each request; raises StepError."""
        async with self._lock:
            await self._apply_step_faults(entries)
            for entry in entries:
                await self._compile(entry.sampling.schema)
            at = self._clock.now()
            for entry in entries:
                entry.answer = self._answer(entry)
            tokens = sum(entry.prompt_tokens for entry in entries)
            duration = self._cost.prefill_seconds(tokens, _adapters(entries))
            await self._clock.sleep(duration)
            self.steps.record("prefill", at, duration, entries)
        first_token_at = self._clock.now()
        for entry in entries:
            entry.first_token_at = first_token_at
            entry.emit()

    async def decode(self, entries: Sequence[Entry]) -> None:
        """Emit the next token of each request; raises StepError."""
        async with self._lock:
            await self._apply_step_faults(entries)
            at = self._clock.now()
            context = sum(entry.prompt_tokens + entry.emitted for entry in entries)
            duration = self._cost.decode_seconds(len(entries), context, _adapters(entries))
            await self._clock.sleep(duration)
            self.steps.record("decode", at, duration, entries)
        for entry in entries:
            entry.emit()

    async def _compile(self, schema: str | None) -> None:
        """Compile a schema unless it is cached; everything else waits. Raises StepError."""
        if schema is None:
            return
        if schema not in self._compiled:
            try:
                size = states(json.loads(schema), lists=self._type_lists)
            except SchemaError as error:
                raise StepError(str(error)) from error
            await self._clock.sleep(self._cost.schema_seconds(size))
        self._compiled.pop(schema, None)
        self._compiled[schema] = None
        if len(self._compiled) > SCHEMAS_KEPT:
            self._compiled.pop(next(iter(self._compiled)))

    async def _apply_step_faults(self, entries: Sequence[Entry]) -> None:
        """Apply the faults of a forward pass, before it begins."""
        await self._faults.wait_while_hung()
        adapter_ids = [entry.public_adapter_id for entry in entries]
        if self._faults.trigger("crash", adapter_ids):
            self._crash("a fault of kind crash")
        failing = self._faults.trigger("error", adapter_ids, error="batch")
        if failing is not None:
            raise StepError(failing.message or CUDA_ERROR)

    def _answer(self, entry: Entry) -> Answer:
        # None is the base model, or an adapter that isn't loaded: LoRAX doesn't notice that either.
        weights = self._loaded.get(entry.adapter_id)
        gone_at = None if entry.adapter_id in self._preloaded else entry.loses_adapter_at
        if gone_at is None:
            return self._write(entry, weights)
        base = self._write(entry, None)
        one_grammar = (
            entry.sampling.schema is not None
        )  # both models follow the grammar to its end, so the answer is all from one
        return base if one_grammar else self._write(entry, weights).switched_to(base, gone_at)

    def _write(self, entry: Entry, weights: Weights | None) -> Answer:
        adapter_id, digest = ("", "") if weights is None else (entry.public_adapter_id, weights.digest)
        try:
            return self._author.write(entry.prompt, entry.question, entry.sampling, adapter_id, digest)
        except SchemaError as error:
            raise StepError(f"JSON schema: {error}") from error


def _adapters(entries: Sequence[Entry]) -> int:
    return len({entry.adapter_id for entry in entries if entry.adapter_id != BASE_MODEL})
