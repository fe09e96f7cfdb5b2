"""The simulated server without HTTP: takes requests, and returns entries that fill with tokens."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final, NoReturn, Self

from boardroom.simulator.clock import Clock
from boardroom.simulator.entry import BASE_MODEL, Entry
from boardroom.simulator.errors import GenerationError, OverloadedError, RouterAborted, ValidationError
from boardroom.simulator.faults import Faults
from boardroom.simulator.model_server.answer import Author
from boardroom.simulator.model_server.shard import Shard
from boardroom.simulator.model_server.sources import AdapterSources
from boardroom.simulator.router.batcher import Batcher
from boardroom.simulator.router.loader import Loader
from boardroom.simulator.router.metrics import Metrics
from boardroom.simulator.router.queues import AdapterQueues
from boardroom.simulator.router.race import Race
from boardroom.simulator.router.request import Parameters
from boardroom.simulator.router.usage import Ledger
from boardroom.simulator.router.validation import Prompt, validate
from boardroom.simulator.settings import Settings
from boardroom.simulator.tokenizer.file import load_tokenizer

_LOG = logging.getLogger(__name__)

MERGE_STRATEGIES: Final = frozenset({"LINEAR", "TIES", "DARE_LINEAR", "DARE_TIES"})
MAJORITY_SIGN_METHODS: Final = frozenset({"TOTAL", "FREQUENCY"})


class Engine:
    """Router, loader and model server in one process.

    Use it as an async context manager, on the loop that serves: entering preloads adapters and starts the tasks.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, *, on_abort: Callable[[str], object] = _LOG.error
    ) -> None:
        """`on_abort` is called with the reason when the router aborts; unless it exits, RouterAborted is raised then.

        Raises TokenizerError.
        """
        self.settings = settings
        self._on_abort = on_abort
        self._random = Random(settings.random_seed)  # noqa: S311 (faults are not secret)
        self.faults = Faults(settings.faults, self._random)
        self.usage = Ledger()
        self.tokenizer = load_tokenizer(settings.tokenizer)
        self.clock = clock or Clock(settings.time_scale)
        self.metrics = Metrics(settings.max_input_length, settings.max_total_tokens)
        self.shard = Shard(
            model_id=settings.model_id,
            author=Author(settings.model_id, settings.identity_salt, self.tokenizer),
            sources=AdapterSources(settings.hub_cache),
            cost=settings.cost,
            clock=self.clock,
            adapter_memory_fraction=settings.adapter_memory_fraction,
            faults=self.faults,
            crash=self._abort,
            type_lists=settings.lorax_version == "v0.12.1",
        )
        self.queues = AdapterQueues(settings.max_active_adapters, settings.adapter_cycle_time_s)
        self._race = Race(self._random, settings.stale_ready_probability)
        self.permits_taken = 0
        self._woken = asyncio.Event()
        self._loader = Loader(self.shard, self.queues, self.metrics, self._woken.set, self.panic)
        self._batcher = Batcher(
            shard=self.shard,
            queues=self.queues,
            loader=self._loader,
            race=self._race,
            metrics=self.metrics,
            clock=self.clock,
            limits=settings.batch_limits,
            woken=self._woken,
            panic=self.panic,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        source = self.settings.preloaded_adapter_source or self.settings.adapter_source
        await self.shard.preload(self.settings.preloaded_adapter_ids, source)
        self._tasks = [asyncio.create_task(self._loader.run()), asyncio.create_task(self._batcher.run())]
        return self

    async def work(self) -> None:
        """Never returns; raises the exception that ended the loader or the batcher, as a panic ends LoRAX."""
        await asyncio.gather(*self._tasks)

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError, Exception):  # work() has raised it already
                await task

    def submit(
        self,
        prompt: Prompt,
        parameters: Parameters,
        *,
        on_change: Callable[[], None],
        wants_tokens: bool = False,
        request_id: str | None = None,
    ) -> Entry:
        """Queue a request. The caller must call release() when the entry has ended or is abandoned.

        Raises OverloadedError at once at --max-concurrent-requests, ValidationError, and RouterAborted for a merge that
        LoRAX's router doesn't survive.
        """
        if self.permits_taken >= self.settings.max_concurrent_requests:
            self.metrics.failed("overloaded")
            raise OverloadedError
        try:
            valid = validate(prompt, parameters, self.settings, self.tokenizer)
        except ValidationError:
            self.metrics.failed("validation")
            raise
        self.metrics.observe("lorax_request_input_length", valid.prompt_tokens)
        self.metrics.observe("lorax_request_max_new_tokens", valid.sampling.max_new_tokens)
        adapter_id = self._adapter_id(parameters)
        entry = Entry(
            request_id=request_id or uuid.uuid4().hex,
            adapter_id=adapter_id,
            adapter_source=parameters.adapter_source or self.settings.adapter_source,
            api_token=parameters.api_token,
            prompt=valid.prompt,
            question=valid.question,
            prompt_tokens=valid.prompt_tokens,
            sampling=valid.sampling,
            queued_at=self.clock.now(),
            on_change=on_change,
            wants_tokens=wants_tokens,
        )
        if self.queues.is_offloading(adapter_id):
            self._race.enter(entry, memory_is_short=self.queues.memory_is_short)
        self.permits_taken += 1
        new = self.queues.append(entry)
        if new is not None:
            self._loader.enqueue("download", new)
        self._woken.set()
        return entry

    def release(self, entry: Entry) -> None:
        """Return the request's permit; an entry that hasn't ended is dropped at its next step."""
        self.permits_taken -= 1
        entry.abandoned = not entry.done
        self.usage.record(entry)

    def panic(self, reason: str) -> None:
        """Abort as LoRAX's router does, with every request; does nothing if these bugs are switched off."""
        if self.settings.abort_bugs:
            self._abort(reason)

    def _abort(self, reason: str) -> NoReturn:
        self._on_abort(reason)
        raise RouterAborted(reason)

    def _adapter_id(self, parameters: Parameters) -> str:
        """Return the adapter of a request; raises GenerationError for a merge, which isn't simulated."""
        merged = parameters.merged_adapters
        if merged is None:
            return parameters.adapter_id or BASE_MODEL
        adapter_id = ",".join(merged.ids)
        strategy, method = merged.merge_strategy or "linear", merged.majority_sign_method or "total"
        known = strategy.upper() in MERGE_STRATEGIES and method.upper() in MAJORITY_SIGN_METHODS
        if not known and not self.queues.knows(adapter_id):
            self.panic("called `Option::unwrap()` on a `None` value: an unknown merge strategy")
        if len(merged.ids) > 1:
            raise GenerationError("the simulator does not merge adapters")
        return adapter_id

    def state(self) -> dict[str, Any]:
        """Return the body of GET /simulator/state."""
        return {
            "loaded": list(self.shard.loaded),
            "loads": self.shard.loads,
            "active": [_name(queue.adapter_id) for queue in self.queues.active],
            "pending": [_name(queue.adapter_id) for queue in self.queues.pending],
            "queue": len(self.queues),
            "requests": self.permits_taken,
            "gpu_seconds": self.shard.steps.gpu_seconds,
            "last_step": self.shard.steps.last_id,
            "profile": self.settings.profile,
        }


def _name(adapter_id: str) -> str:
    return "" if adapter_id == BASE_MODEL else adapter_id
