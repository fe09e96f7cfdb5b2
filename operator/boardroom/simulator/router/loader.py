"""The serial loader: one task downloads, loads and offloads adapters in order (docs/lorax.md#serial-loader)."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from boardroom.simulator.errors import GenerationError
from boardroom.simulator.model_server.shard import Shard
from boardroom.simulator.model_server.sources import SourceError
from boardroom.simulator.router.metrics import Metrics
from boardroom.simulator.router.queues import AdapterQueue, AdapterQueues, Status

_LOG = logging.getLogger(__name__)

Command = Literal["download", "load", "offload", "terminate"]


class Loader:
    """Runs one command after another; a slow download delays every adapter behind it."""

    def __init__(
        self,
        shard: Shard,
        queues: AdapterQueues,
        metrics: Metrics,
        wake: Callable[[], None],
        panic: Callable[[str], None],
    ) -> None:
        self._shard = shard
        self._queues = queues
        self._metrics = metrics
        self._wake = wake
        self._panic = panic
        self._commands: asyncio.Queue[tuple[Command, AdapterQueue]] = asyncio.Queue()
        self._causes: dict[str, str] = {}

    def enqueue(self, command: Command, queue: AdapterQueue) -> None:
        """Append a command to the queue; returns at once."""
        self._commands.put_nowait((command, queue))

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            command, queue = await self._commands.get()
            if command == "terminate":
                self._terminate(queue)
            elif queue.adapter_id in self._causes:
                self._fail(command, queue)
            else:
                await self._carry_out(command, queue)

    async def _carry_out(self, command: Command, queue: AdapterQueue) -> None:
        try:
            match command:
                case "download":
                    queue.cost = await self._shard.download(queue.adapter_id, queue.source, queue.api_token)
                    self._report(queue, Status.DOWNLOADED)
                case "load":
                    await self._shard.load(queue.adapter_id, queue.source, queue.api_token)
                    self._report(queue, Status.READY)
                case _:
                    await self._shard.offload(queue.adapter_id)
                    queue.offloading = False
                    self._report(queue, Status.DOWNLOADED)
        except SourceError as error:
            self._causes[queue.adapter_id] = str(error)
            _LOG.warning("%s of adapter %s failed: %s", command, queue.adapter_id, error)
            self._fail(command, queue)
        else:
            _LOG.info("%s of adapter %s done", command, queue.adapter_id)

    def _fail(self, command: Command, queue: AdapterQueue) -> None:
        self._metrics.failed(f"{command}_adapter")
        self._report(queue, Status.ERRORED)

    def _report(self, queue: AdapterQueue, status: Status) -> None:
        if queue in self._queues:
            queue.status = status
        self._wake()

    def _terminate(self, queue: AdapterQueue) -> None:
        """Fail the waiting requests with the cause, and forget the adapter: the next request downloads again
        (docs/lorax.md#retry-downloads-again).
        """
        cause = self._causes.pop(queue.adapter_id, None)
        if queue not in self._queues:
            return
        for entry in queue.entries:
            if cause is not None:
                if entry.abandoned:
                    self._panic("called `Result::unwrap()` on an `Err` value: nobody receives the adapter's error")
                entry.fail(GenerationError(cause))
        queue.entries.clear()
        self._queues.forget(queue)
