"""A list that a watch keeps current: client-go's reflector, for the few objects of one board.

The controller watches by Kopf instead, and keeps a thousand boards' objects as text with an index (watch/informer.py,
watch/cache.py). Both list by Kube.pages, and both list again after 410 Gone.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from boardroom.kube.errors import ExpiredError, KubeError, error_of
from boardroom.kube.kinds import Kind, Object
from boardroom.kube.protocol import Kube, Selection

FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 30.0
_LOG = logging.getLogger(__name__)


class Reflector:
    """`objects` by name; `on_change` is called after the first list and after each change."""

    def __init__(self, kube: Kube, kind: Kind, selection: Selection, on_change: Callable[[], None]) -> None:
        self._kube = kube
        self._kind = kind
        self._selection = selection
        self._on_change = on_change
        self._version = ""
        """The resourceVersion at which the next watch begins; empty: list first."""
        self.objects: dict[str, Object] = {}
        self.synced = False

    async def run(self) -> None:
        """List and watch for ever; `objects` keeps its content while the API server is unreachable."""
        pause = FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._list()
                before = self._version
                await self._watch()
                pause = FIRST_PAUSE
                if self._version == before:
                    await asyncio.sleep(FIRST_PAUSE)  # a proxy that ends watches at once is not asked in a tight loop
            except ExpiredError:
                self._version = ""
            except KubeError as error:
                if error.status:
                    self._version = ""
                extra = {"kind": self._kind.name, "error": f"{error} (HTTP {error.status})"}
                _LOG.warning("watch broke", extra=extra)
                await asyncio.sleep(error.retry_after or pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
                pause = min(LAST_PAUSE, 2 * pause)

    async def _list(self) -> None:
        objects: dict[str, Object] = {}
        version = ""
        async for page in self._kube.pages(self._kind, self._selection):
            objects.update((item["metadata"]["name"], item) for item in page.items)
            version = page.resource_version
        self.objects, self._version, self.synced = objects, version, True
        self._on_change()

    async def _watch(self) -> None:
        async for event in self._kube.watch(self._kind, self._selection, self._version):
            type_, live = event.get("type"), event.get("object", {})
            if type_ == "ERROR":
                status = int(live.get("code", HTTPStatus.INTERNAL_SERVER_ERROR))
                raise error_of(status, str(live.get("message", "")))
            self._version = live["metadata"]["resourceVersion"]
            if type_ == "BOOKMARK":
                continue
            name = live["metadata"]["name"]
            if type_ == "DELETED":
                self.objects.pop(name, None)
            else:
                self.objects[name] = live
            self._on_change()
