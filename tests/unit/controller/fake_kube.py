"""An API server of dicts: enough of server-side apply for one writer of each field, and every request kept."""

import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.kube.client import ConflictError, Page
from boardroom.kube.kinds import Key, Kind, Object


@dataclass
class FakeKube:
    objects: dict[tuple[Kind, Key], Object] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    failures: dict[tuple[str, str], Exception] = field(default_factory=dict)
    """By verb and kind."""
    applied: dict[tuple[str, Kind, str], set[str]] = field(default_factory=dict)
    """The types of the conditions that each field manager has applied, by manager, kind and name."""
    version: int = 100
    made: str = "2026-11-23T00:00:00Z"
    """When what is created now is created."""

    @property
    def writes(self) -> list[tuple[str, str, str]]:
        return [r for r in self.requests if r[0] not in ("get", "list")]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        self._take("get", kind, name)
        return copy.deepcopy(self.objects.get((kind, (namespace, name))))

    async def pages(self, kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Page]:
        self._take("list", kind, selector)
        items = [o for (k, key), o in self.objects.items() if k is kind and namespace in (None, key[0])]
        version = str(self.version)
        yield Page(items=copy.deepcopy(items[::2]), resource_version=version)
        yield Page(items=copy.deepcopy(items[1::2]), resource_version=version)

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        name = manifest["metadata"]["name"]
        self._take("apply", kind, name)
        key = (kind, (manifest["metadata"].get("namespace", ""), name))
        live = self.objects.get(key)
        self._check_version(manifest, live)
        if live is not None and not force:
            raise ConflictError(409, "Conflict", "conflicts with another manager")
        made = (live or {}) | {k: v for k, v in manifest.items() if k != "metadata"}
        before = (live or {}).get("metadata") or {"uid": f"{name}-uid", "creationTimestamp": self.made}
        changed = made.get("spec") != (live or {}).get("spec")
        made["metadata"] = before | manifest["metadata"] | {"generation": before.get("generation", 0) + changed}
        return self.put(kind, made)

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str = OPERATOR_MANAGER) -> Object:
        name = manifest["metadata"]["name"]
        self._take("apply_status", kind, name)
        live = self.objects[kind, (manifest["metadata"].get("namespace", ""), name)]
        standing = {c["type"]: c for c in live.get("status", {}).get("conditions", ())}  # others own some of them
        self._check_version(manifest, live)
        given = {c["type"]: c for c in manifest["status"].get("conditions", ())}
        before = self.applied.get((manager, kind, name), set())
        kept = {type_: c for type_, c in standing.items() if type_ not in before}
        self.applied[manager, kind, name] = set(given)
        status = manifest["status"] | {"conditions": list((kept | given).values())}
        return self.put(kind, live | {"status": live.get("status", {}) | status})

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        self._take("delete", kind, name)
        if self.objects[kind, (namespace, name)]["metadata"]["uid"] == uid:
            del self.objects[kind, (namespace, name)]

    async def create(self, kind: Kind, manifest: Object) -> Object:
        self._take("create", kind, str(manifest.get("reason", manifest["metadata"]["name"])))
        if (kind, (manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])) in self.objects:
            raise ConflictError(409, "AlreadyExists", "already exists")
        return self.put(kind, manifest)

    def put(self, kind: Kind, obj: Object) -> Object:
        """Store an object as a write would."""
        self.version += 1
        metadata: dict[str, Any] = obj["metadata"] | {"resourceVersion": str(self.version)}
        stored = copy.deepcopy(obj | {"metadata": metadata})
        self.objects[kind, (metadata.get("namespace", ""), metadata["name"])] = stored
        return copy.deepcopy(stored)

    def _check_version(self, manifest: Object, live: Object | None) -> None:
        version = manifest["metadata"].get("resourceVersion")
        if version and version != (live or {"metadata": {}})["metadata"].get("resourceVersion"):
            raise ConflictError(409, "Conflict", "the object has been modified")

    def _take(self, verb: str, kind: Kind, name: str) -> None:
        self.requests.append((verb, kind.name, name))
        if error := self.failures.get((verb, kind.name)):
            raise error
