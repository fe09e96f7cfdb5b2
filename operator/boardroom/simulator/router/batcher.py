"""Continuous batching: one task forms batches, runs their steps, and admits waiting requests between steps."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from boardroom.simulator.clock import Clock
from boardroom.simulator.entry import Entry
from boardroom.simulator.errors import GenerationError, LoraxError, StepError
from boardroom.simulator.model_server.shard import Shard
from boardroom.simulator.router.blocks import BLOCK_TOKENS, BlockBudget, blocks_for
from boardroom.simulator.router.loader import Loader
from boardroom.simulator.router.metrics import Metrics
from boardroom.simulator.router.queues import AdapterQueues, Status
from boardroom.simulator.router.race import Race
from boardroom.simulator.settings import BatchLimits

FAILED_PREFILL: Final = "ID not found in entries"
"""The message of the abort when a prefill fails while others decode (docs/lorax.md#prefill-abort)."""

Step = Callable[[list[Entry]], Awaitable[None]]


class Batcher:
    """Moves requests from the queues into the running batch."""

    def __init__(
        self,
        *,
        shard: Shard,
        queues: AdapterQueues,
        loader: Loader,
        race: Race,
        metrics: Metrics,
        clock: Clock,
        limits: BatchLimits,
        woken: asyncio.Event,
        panic: Callable[[str], None],
    ) -> None:
        """`panic` is called where LoRAX's router aborts; it returns if these bugs are switched off."""
        self._shard = shard
        self._queues = queues
        self._loader = loader
        self._race = race
        self._metrics = metrics
        self._clock = clock
        self._limits = limits
        self._woken = woken
        self._panic = panic
        self._blocks = BlockBudget(limits.max_batch_total_tokens)

    async def run(self) -> None:
        """Run until cancelled: wait for a request or an adapter, then run batches until nothing can run."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while batch := self._next_batch(in_use=(), min_size=None):
                await self._run_batch(batch)

    async def _run_batch(self, batch: list[Entry]) -> None:
        running = await self._step("prefill", self._shard.prefill, batch)
        waiting_tokens = 1
        while running:
            self._gauge(running)
            self._terminate_errored()
            min_size = self._min_size(len(running), waiting_tokens)
            in_use = {entry.adapter_id for entry in running}
            while newcomers := self._next_batch(in_use, min_size):
                reason = "wait_exceeded" if min_size is None else "backpressure"
                self._metrics.count("lorax_batch_concat", f'reason="{reason}"')
                in_use.update(entry.adapter_id for entry in newcomers)
                running = await self._add_newcomers(running, newcomers)
                waiting_tokens = 1
                if not self._limits.eager_prefill:
                    break
            if running:
                running = await self._step("decode", self._shard.decode, running)
            waiting_tokens += 1
        self._gauge(())

    async def _add_newcomers(self, running: list[Entry], newcomers: list[Entry]) -> list[Entry]:
        """Prefill the newcomers, and return the batch with them.

        If the prefill fails, LoRAX's router also fails the requests that decode, and aborts at their next step.
        """
        fresh = await self._step("prefill", self._shard.prefill, newcomers)
        failed = next((entry.error for entry in newcomers if entry.error is not None), None)
        if failed is None or not running:
            return running + fresh
        self._panic(FAILED_PREFILL)
        self._fail(running, failed)
        return []

    def _min_size(self, running: int, waiting_tokens: int) -> int | None:
        """Return how many requests must wait to interrupt the batch; None if it has run long enough."""
        if waiting_tokens >= self._limits.max_waiting_tokens:
            return None
        return int(running * self._limits.waiting_served_ratio)

    def _next_batch(self, in_use: Collection[str], min_size: int | None) -> list[Entry]:
        """Return the requests that can start now. If fewer than `min_size` wait, none start and no adapter moves."""
        waiting = len(self._queues)
        self._metrics.gauge("lorax_queue_length", waiting)
        if waiting == 0 or (min_size is not None and waiting < min_size):
            return []
        self._schedule_adapters(in_use)
        batch: list[Entry] = []
        prefill_tokens = 0
        while entry := self._queues.next_entry(self._clock.now()):
            if entry.abandoned:
                self._metrics.failed("dropped")
                continue
            prefill_tokens += entry.prompt_tokens
            over_budget = prefill_tokens > self._limits.max_batch_prefill_tokens
            if over_budget or not self._blocks.reserve(entry.reserved_tokens):
                self._queues.put_back(entry)
                break
            entry.started_at = self._clock.now()
            batch.append(entry)
        if min_size is not None and len(batch) < min_size:
            for entry in reversed(batch):
                self._blocks.release(entry.reserved_tokens)
                self._queues.put_back(entry)
            return []
        if batch:
            self._metrics.observe("lorax_batch_next_size", len(batch))
        return batch

    def _schedule_adapters(self, in_use: Collection[str]) -> None:
        self._terminate_errored(untrack=True)
        changes = self._queues.update(in_use, self._clock.now())
        for queue in changes.offload:
            queue.status = Status.DOWNLOADED
            queue.offloading = True
            for entry in queue.entries:
                self._race.enter(entry, memory_is_short=self._queues.memory_is_short)
            self._loader.enqueue("offload", queue)
        for queue in changes.load:
            self._loader.enqueue("load", queue)

    def _terminate_errored(self, *, untrack: bool = False) -> None:
        for queue in self._queues.errored():
            self._loader.enqueue("terminate", queue)
            if untrack:
                self._queues.untrack(queue)

    async def _step(self, method: str, step: Step, entries: list[Entry]) -> list[Entry]:
        """Run one forward pass; return the requests that go on. A failed pass fails them all."""
        labels = f'method="{method}"'
        self._metrics.count("lorax_batch_inference_count", labels)
        started = self._clock.now()
        try:
            await step(entries)
        except StepError as error:
            self._metrics.count("lorax_batch_inference_failure", labels)
            self._fail(entries, GenerationError(str(error)))
            return []
        self._metrics.emitted(len(entries))
        self._metrics.observe("lorax_batch_inference_duration", self._clock.now() - started, labels)
        self._metrics.count("lorax_batch_inference_success", labels)
        return [entry for entry in entries if not self._ended(entry)]

    def _fail(self, entries: Collection[Entry], error: LoraxError) -> None:
        for entry in entries:
            self._metrics.failed("generation")
            entry.fail(error)
            self._blocks.release(entry.reserved_tokens)

    def _ended(self, entry: Entry) -> bool:
        if entry.abandoned and not entry.done:
            self._metrics.failed("dropped")
            entry.done = True
        if entry.done:
            self._blocks.release(entry.reserved_tokens)
        return entry.done

    def _gauge(self, running: Collection[Entry]) -> None:
        tokens = sum(blocks_for(entry.reserved_tokens) * BLOCK_TOKENS for entry in running)
        self._metrics.gauge("lorax_batch_current_size", len(running))
        self._metrics.gauge("lorax_batch_current_max_tokens", tokens)
