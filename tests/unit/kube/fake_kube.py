"""An API server of dicts: server-side apply with one manager per field, live watches, and faults that a test sets."""

import asyncio
import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.kube.errors import ConflictError, KubeError, NotFoundError
from boardroom.kube.kinds import Key, Kind, Object
from boardroom.kube.protocol import Page, Selection

UNREACHABLE = KubeError(0, "the API server does not answer")
Fault = Exception
"""What a request or a watch ends with."""


@dataclass
class Cluster:
    """What the API server keeps; several clients may share it."""

    objects: dict[tuple[Kind, Key], Object] = field(default_factory=dict)
    applied: dict[tuple[str, Kind, str], set[str]] = field(default_factory=dict)
    """The types of the conditions that each field manager has applied, by manager, kind and name."""
    version: int = 100


@dataclass
class FakeKube:
    """One client. Every selected kind is listed whole: selectors are recorded and not evaluated."""

    cluster: Cluster = field(default_factory=Cluster)
    manager: str = OPERATOR_MANAGER
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Verb, kind and name (or label selector) of each request."""
    manifests: list[Object] = field(default_factory=list)
    """The manifest of each write that succeeded."""
    failures: dict[tuple[str, str], Fault] = field(default_factory=dict)
    """Every request of that verb and kind fails, and changes nothing."""
    failures_once: list[Fault] = field(default_factory=list)
    """The next writes fail, each by one of these."""
    away: bool = False
    """This client can't reach the API server."""
    lists: list[Page | Fault] = field(default_factory=list)
    """The next lists; after them `objects` are listed."""
    watches: list[list[Object | Fault]] = field(default_factory=list)
    """Watches to come: their events in order, each may be a fault; the watch then ends. Later watches tell nothing."""
    watched_from: list[str] = field(default_factory=list)
    """The resource version of each watch."""
    made: str = "2026-11-23T00:00:00Z"
    """creationTimestamp of what is created."""

    @property
    def objects(self) -> dict[tuple[Kind, Key], Object]:
        return self.cluster.objects

    @property
    def writes(self) -> list[tuple[str, str, str]]:
        return [r for r in self.requests if r[0] not in ("get", "list", "watch")]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        self._request("get", kind, name)
        return copy.deepcopy(self.objects.get((kind, (namespace, name))))

    async def pages(self, kind: Kind, selection: Selection) -> AsyncIterator[Page]:
        """Two pages."""
        self._request("list", kind, selection.labels)
        scripted = self.lists.pop(0) if self.lists else None
        if isinstance(scripted, Exception):
            raise scripted
        if scripted is not None:
            items, version = scripted.items, scripted.resource_version
        else:
            items = [o for (k, key), o in self.objects.items() if k is kind and selection.namespace in (None, key[0])]
            version = str(self.cluster.version)
        yield Page(items=copy.deepcopy(items[::2]), resource_version=version)
        yield Page(items=copy.deepcopy(items[1::2]), resource_version=version)

    async def watch(self, kind: Kind, selection: Selection, resource_version: str) -> AsyncIterator[Object]:
        self._request("watch", kind, selection.labels)
        self.watched_from.append(resource_version)
        if not self.watches:
            await asyncio.Event().wait()
        for event in self.watches.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        name = manifest["metadata"]["name"]
        self._request("apply", kind, name)
        key = (kind, (manifest["metadata"].get("namespace", ""), name))
        live = self.objects.get(key)
        self._write(manifest, live)
        if live is not None and not force:
            raise ConflictError(409, "conflicts with another manager")
        made = (live or {}) | {k: v for k, v in manifest.items() if k != "metadata"}
        before = (live or {}).get("metadata") or {"uid": f"{name}-uid", "creationTimestamp": self.made}
        changed = made.get("spec") != (live or {}).get("spec")
        made["metadata"] = before | manifest["metadata"] | {"generation": before.get("generation", 0) + changed}
        return self.put(kind, made)

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str | None = None) -> Object:
        name, manager = manifest["metadata"]["name"], manager or self.manager
        self._request("apply_status", kind, name)
        live = self.objects.get((kind, (manifest["metadata"].get("namespace", ""), name)))
        if live is None:
            raise NotFoundError(404, f"{kind} {name} not found")
        standing = {c["type"]: c for c in live.get("status", {}).get("conditions", ())}  # others own some of them
        self._write(manifest, live)
        given = {c["type"]: c for c in manifest["status"].get("conditions", ())}
        before = self.cluster.applied.get((manager, kind, name), set())
        kept = {type_: c for type_, c in standing.items() if type_ not in before}
        self.cluster.applied[manager, kind, name] = set(given)
        status = manifest["status"] | {"conditions": list((kept | given).values())}
        return self.put(kind, live | {"status": live.get("status", {}) | status})

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        self._request("delete", kind, name)
        if self.objects[kind, (namespace, name)]["metadata"]["uid"] == uid:
            del self.objects[kind, (namespace, name)]

    async def create(self, kind: Kind, manifest: Object) -> Object:
        metadata = manifest.get("metadata", {})
        name = metadata.get("name") or f"{metadata.get('generateName', '')}{self.cluster.version}"
        self._request("create", kind, str(manifest.get("reason", name)))
        if (kind, (metadata.get("namespace", ""), name)) in self.objects:
            raise ConflictError(409, "already exists")
        self._write(manifest, None)
        return self.put(kind, manifest | {"metadata": metadata | {"name": name}})

    def put(self, kind: Kind, obj: Object) -> Object:
        """Store an object as a write would."""
        self.cluster.version += 1
        metadata: dict[str, Any] = obj["metadata"] | {"resourceVersion": str(self.cluster.version)}
        stored = copy.deepcopy(obj | {"metadata": metadata})
        self.objects[kind, (metadata.get("namespace", ""), metadata["name"])] = stored
        return copy.deepcopy(stored)

    def _write(self, manifest: Object, live: Object | None) -> None:
        if self.failures_once:
            raise self.failures_once.pop(0)
        version = manifest.get("metadata", {}).get("resourceVersion")
        if version and version != (live or {"metadata": {}})["metadata"].get("resourceVersion"):
            raise ConflictError(409, "the object has been modified")
        self.manifests.append(manifest)

    def _request(self, verb: str, kind: Kind, name: str) -> None:
        if self.away:
            raise UNREACHABLE
        self.requests.append((verb, kind.name, name))
        if error := self.failures.get((verb, kind.name)):
            raise error
