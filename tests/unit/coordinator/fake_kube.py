"""An API server for what can't be made to happen with a real one: lost watches, refusals, expired versions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from boardroom.kube.coordinator_client import KubeError, Query


class FakeKube:
    """Lists and watch events are given out in order; writes are recorded."""

    def __init__(self) -> None:
        self.lists: list[dict[str, Any] | KubeError] = []
        self.watches: list[list[dict[str, Any] | KubeError]] = []
        self.listed = 0
        self.watched_from: list[str] = []
        self.applied: list[tuple[str, dict[str, Any]]] = []
        self.created: list[dict[str, Any]] = []
        self.refusals: list[KubeError] = []

    async def list(self, path: str, query: Query) -> dict[str, Any]:
        self.listed += 1
        found = self.lists.pop(0)
        if isinstance(found, KubeError):
            raise found
        return found

    async def watch(self, path: str, query: Query) -> AsyncIterator[dict[str, Any]]:
        self.watched_from.append(dict(query)["resourceVersion"])
        if not self.watches:
            await asyncio.Event().wait()
        for event in self.watches.pop(0):
            if isinstance(event, KubeError):
                raise event
            yield event

    async def get(self, path: str) -> dict[str, Any] | None:
        raise AssertionError(f"nobody reads {path} here")

    async def apply(self, path: str, body: dict[str, Any]) -> None:
        raise AssertionError(f"nobody writes {path} here")

    async def apply_status(self, path: str, body: dict[str, Any]) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.applied.append((path, body))

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.created.append(body)
        return body

    async def close(self) -> None:
        return
