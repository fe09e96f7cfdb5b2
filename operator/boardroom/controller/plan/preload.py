"""adapterPolicy Preloaded: what LoRAX loads when it starts, and keeps; it refuses any other (LORAX.md, trap 7).

One that can't be loaded keeps LoRAX from starting. So an adapter is on the list once the sidecar has found its files
and they fit the board, which BoardAgent.status says. Each change of the list is a restart, so the list stays as it is
while it is not known of some member yet: those that come together cost one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from boardroom.api.conditions import AgentCondition, find
from boardroom.api.meta import GROUP
from boardroom.api.resources import BoardAgent
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/preloaded-adapters"
"""On the pod template: the digest of each adapter by its path. New files under the same path are a reason, too."""

_UNFIT: Final = frozenset(
    {
        *("AdapterMissing", "AdapterInvalid", "UnsupportedFeature", "BaseModelMismatch", "RankTooHigh", "TooLarge"),
        *("DownloadFailed", "CredentialsMissing"),
    }
)
"""Reasons of AdapterReady=False by which LoRAX would not start, or get the adapter wrong."""

Preloaded = Mapping[str, str]
"""Digests by path."""


def preloaded(members: Iterable[BoardAgent], live: Object | None) -> Preloaded:
    """The adapters of these members that LoRAX is to load; `live` is its Deployment as it is."""
    before = on(live)
    try:
        entries = [_entry(member, before) for member in members if member.spec.adapter_key is not None]
    except _UnknownError:
        return before
    return dict(sorted(entry for entry in entries if entry is not None))


def on(deployment: Object | None) -> Preloaded:
    """What a Deployment has LoRAX load."""
    if deployment is None:
        return {}
    annotations = deployment["spec"]["template"].get("metadata", {}).get("annotations") or {}
    try:
        found: Any = orjson.loads(annotations.get(ANNOTATION, "{}"))
    except orjson.JSONDecodeError:  # edited by hand: our next apply mends it
        return {}
    return found if isinstance(found, dict) else {}


def annotations(adapters: Preloaded) -> Object:
    """The pod template's annotations, empty where nothing is preloaded."""
    return {ANNOTATION: orjson.dumps(adapters).decode()} if adapters else {}


def change(before: Preloaded, after: Preloaded) -> str:
    """What has changed, for people; empty where nothing has."""
    parts = {
        "added": [path for path in after if path not in before],
        "removed": [path for path in before if path not in after],
        "with new files": [path for path in after if path in before and before[path] != after[path]],
    }
    return "; ".join(f"{what}: {', '.join(paths)}" for what, paths in parts.items() if paths)


class _UnknownError(Exception):
    """Nobody has said yet whether a member's adapter is there."""


def _entry(member: BoardAgent, before: Preloaded) -> tuple[str, str] | None:
    """Path and digest; None where the adapter is missing or unfit. Raises _UnknownError."""
    adapter, said = member.status.adapter, find(member.status.conditions, AgentCondition.ADAPTER_READY)
    if said is None or (said.observed_generation or 0) < member.metadata.generation:
        raise _UnknownError
    if said.status == "False" and said.reason in _UNFIT:
        return None
    if adapter is None or adapter.path is None:
        raise _UnknownError
    digest = adapter.digest or before.get(adapter.path)  # of a pod that is going nothing is known any more
    if digest is None:
        raise _UnknownError
    return adapter.path, digest
