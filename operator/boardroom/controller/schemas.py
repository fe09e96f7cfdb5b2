"""CRD check: the CRDs in the cluster must declare every field that this operator reads and writes.

An operator that is newer than the CRDs waits before it starts. A running operator continues.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from boardroom.api.generate.crds import crds
from boardroom.kube.client import RETRY_SECONDS
from boardroom.kube.errors import CRDS_REMEDY, KubeError, NotFoundError
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, Kind, Object

_log = logging.getLogger(__name__)
_SHOWN: Final = 5


class Source(Protocol):
    """Publishes the OpenAPI schemas of the cluster."""

    async def schemas(self, kind: Kind) -> dict[str, Object]:
        """The schemas of the kind's group and version, by name. Raises KubeError."""


@dataclass(frozen=True)
class Schemas:
    """`on_wait` is called with the problem that the operator waits for."""

    source: Source
    on_wait: Callable[[str], None]

    async def wait_until_compatible(self) -> bool:
        """Wait until the CRDs are compatible, however long that takes; then True."""
        last = ""
        while True:
            try:
                problem = await self.problem()
            except KubeError as error:
                problem = f"the schemas can't be read: {error} (HTTP {error.status})"
            if not problem:
                return True
            if problem != last:
                _log.warning("%s", problem)
                self.on_wait(problem)
            last = problem
            await asyncio.sleep(RETRY_SECONDS)

    async def problem(self) -> str:
        """The fields or CRDs that the cluster lacks, with the remedy; empty if its CRDs are compatible."""
        try:
            published = await self.source.schemas(BOARDROOM)
        except NotFoundError:
            published = {}
        by_kind = {group_kind["kind"]: schema for schema in published.values() for group_kind in _named(schema)}
        ours = {crd["spec"]["names"]["kind"]: _schema(crd) for crd in crds().values()}
        if not by_kind.keys() >= {BOARDROOM.name, BOARDAGENT.name}:
            return f"the CRDs are not installed; {CRDS_REMEDY}"
        missing = [field for kind in ours for field in undeclared(ours[kind], by_kind[kind], kind)]
        if not missing:
            return ""
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        return f"the CRDs are older than the operator: they lack {', '.join(missing[:_SHOWN])}{more}; {CRDS_REMEDY}"


def undeclared(ours: Object, theirs: Object, path: str) -> Iterable[str]:
    """The fields of one schema that the other lacks, as paths."""
    for name, schema in ours.get("properties", {}).items():
        if name in ("apiVersion", "kind", "metadata"):
            continue
        declared = theirs.get("properties", {}).get(name)
        if declared is None:
            yield f"{path}.{name}"
        else:
            yield from undeclared(schema, declared, f"{path}.{name}")
    if "items" in ours:
        yield from undeclared(ours["items"], theirs.get("items", {}), f"{path}[]")


def _named(schema: Object) -> list[Object]:
    schemas: list[Object] = schema.get("x-kubernetes-group-version-kind", [])
    return schemas


def _schema(crd: Object) -> Object:
    schemas: Object = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schemas
