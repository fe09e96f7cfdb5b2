"""An API server of dicts for what coordinators of one board agree on: one Lease, and each other's addresses."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from boardroom.kube.coordinator_client import KubeError, Query

GONE_AWAY = KubeError(0, "the API server does not answer")


class LeaseKube:
    """Shared by all candidates; `away` are those (by identity in their bids) that can't reach it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.addresses = ["127.0.0.1"]

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""

    def write(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.lease = {"metadata": body["metadata"] | {"resourceVersion": str(self.version)}, "spec": body["spec"]}
        return self.lease


class Client:
    """One coordinator's way there."""

    def __init__(self, server: LeaseKube) -> None:
        self.server = server
        self.away = False

    async def get(self, path: str) -> dict[str, Any] | None:
        self._reach()
        return self.server.lease

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._reach()
        if self.server.lease is not None:
            raise KubeError(409, "exists")
        return self.server.write(body)

    async def apply(self, path: str, body: dict[str, Any]) -> None:
        self._reach()
        live = self.server.lease
        if live is None or body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise KubeError(409, "changed meanwhile")
        self.server.write(body)

    async def list(self, path: str, query: Query) -> dict[str, Any]:
        self._reach()
        endpoints = [{"addresses": [address]} for address in self.server.addresses]
        piece = {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": endpoints}
        return {"metadata": {"resourceVersion": "1"}, "items": [piece]}

    async def watch(self, path: str, query: Query) -> AsyncIterator[dict[str, Any]]:
        await asyncio.Event().wait()
        yield {}

    async def apply_status(self, path: str, body: dict[str, Any]) -> None:
        raise AssertionError("these tests write no status")

    async def close(self) -> None:
        return

    def _reach(self) -> None:
        if self.away:
            raise GONE_AWAY
