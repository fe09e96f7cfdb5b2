"""adapterPolicy Preloaded: the adapters that LoRAX loads at its start and keeps; it refuses others ("preloaded only",
docs/lorax.md).

An adapter that can't be loaded keeps LoRAX from starting. So an adapter is listed once BoardAgent.status says that the
sidecar has found its files and that they fit the board. Each change of the list is a restart, so the list stays as it
is until the files of every member are known: members that are created together cost one restart.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from boardroom.api.conditions import AgentCondition, find
from boardroom.api.meta import GROUP
from boardroom.api.resources import BoardAgent
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/preloaded-adapters"
"""On the pod template: the digest of each adapter by its path, so that new files under a path restart LoRAX too."""

_UNFIT: Final = frozenset(
    {
        *("AdapterMissing", "AdapterInvalid", "UnsupportedFeature", "BaseModelMismatch", "RankTooHigh", "TooLarge"),
        *("DownloadFailed", "CredentialsMissing"),
    }
)
"""Reasons of AdapterReady=False with which LoRAX would not start, or would apply the adapter wrongly."""

Preloaded = Mapping[str, str]
"""Digests by path."""


def preloaded(members: Iterable[BoardAgent], live: Object | None) -> Preloaded:
    """The adapters of these members that LoRAX loads; `live` is its Deployment."""
    before = on(live)
    try:
        entries = [_entry(member, before) for member in members if member.spec.adapter_key is not None]
    except _UnknownError:
        return before
    return dict(sorted(entry for entry in entries if entry is not None))


def on(deployment: Object | None) -> Preloaded:
    """The adapters that a Deployment preloads."""
    if deployment is None:
        return {}
    annotations = deployment["spec"]["template"].get("metadata", {}).get("annotations") or {}
    try:
        adapters: Any = orjson.loads(annotations.get(ANNOTATION, "{}"))
    except orjson.JSONDecodeError:  # edited by hand: our next apply corrects it
        return {}
    return adapters if isinstance(adapters, dict) else {}


def annotations(adapters: Preloaded) -> Object:
    """The annotations of the pod template; empty if nothing is preloaded."""
    return {ANNOTATION: orjson.dumps(adapters).decode()} if adapters else {}


def change(before: Preloaded, after: Preloaded) -> str:
    """The difference as a message; empty if there is none."""
    parts = {
        "added": [path for path in after if path not in before],
        "removed": [path for path in before if path not in after],
        "with new files": [path for path in after if path in before and before[path] != after[path]],
    }
    return "; ".join(f"{what}: {', '.join(paths)}" for what, paths in parts.items() if paths)


class _UnknownError(Exception):
    """The files of a member's adapter are not known yet."""


def _entry(member: BoardAgent, before: Preloaded) -> tuple[str, str] | None:
    """Path and digest of an adapter; None if it is missing or does not fit. Raises _UnknownError."""
    adapter, ready = member.status.adapter, find(member.status.conditions, AgentCondition.ADAPTER_READY)
    if ready is None or (ready.observed_generation or 0) < member.metadata.generation:
        raise _UnknownError
    if ready.status == "False" and ready.reason in _UNFIT:
        return None
    if adapter is None or adapter.path is None:
        raise _UnknownError
    digest = adapter.digest or before.get(adapter.path)  # the status of a pod that ends is unknown
    if digest is None:
        raise _UnknownError
    return adapter.path, digest
