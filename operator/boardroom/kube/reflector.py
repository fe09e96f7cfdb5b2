"""A list that is kept current by a watch: client-go's reflector, as small as one kind in one namespace allows."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Final

from boardroom.kube.coordinator_client import Kube, KubeError, Query

FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 30.0
_GONE: Final = 410
_LOG = logging.getLogger(__name__)


class Reflector:
    """`objects` by name; `on_change` is called after each change, and once when the first list is there."""

    def __init__(self, kube: Kube, path: str, query: Query, on_change: Callable[[], None]) -> None:
        self._kube = kube
        self._path = path
        self._query = list(query)
        self._on_change = on_change
        self._version = ""
        self.objects: dict[str, dict[str, Any]] = {}
        self.synced = False

    async def run(self) -> None:
        """List, watch, and again for ever; what was seen last stands while the API server is away."""
        pause = FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._list()
                before = self._version
                await self._watch()
                pause = FIRST_PAUSE
                if self._version == before:
                    await asyncio.sleep(FIRST_PAUSE)  # whoever ends watches at once would be asked in a tight loop
            except KubeError as error:
                if error.status == _GONE:
                    self._version = ""
                    continue
                if error.status:
                    self._version = ""
                _LOG.warning("watch broke", extra={"path": self._path, "error": str(error)})
                await asyncio.sleep(error.retry_after or pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
                pause = min(LAST_PAUSE, 2 * pause)

    async def _list(self) -> None:
        found = await self._kube.list(self._path, self._query)
        self.objects = {item["metadata"]["name"]: item for item in found.get("items", ())}
        self._version = found["metadata"]["resourceVersion"]
        self.synced = True
        self._on_change()

    async def _watch(self) -> None:
        query = [*self._query, ("resourceVersion", self._version)]
        async for event in self._kube.watch(self._path, query):
            kind, live = event.get("type"), event.get("object", {})
            if kind == "ERROR":
                raise KubeError(int(live.get("code", 500)), str(live.get("message", "")))
            self._version = live["metadata"]["resourceVersion"]
            if kind == "BOOKMARK":
                continue
            name = live["metadata"]["name"]
            if kind == "DELETED":
                self.objects.pop(name, None)
            else:
                self.objects[name] = live
            self._on_change()
