"""A board's ClusterRoleBinding: cluster-scoped, so that it has no owner and the garbage collector ignores it.

It is found by its labels, also if its board was deleted while no operator ran.
"""

import logging
from dataclasses import dataclass
from typing import Final

from boardroom.api.meta import AUTH_ROLE
from boardroom.controller.apply.children import Problem, webhook_problem
from boardroom.controller.watch.cache import Store
from boardroom.kube.errors import ConflictError, RefusedError, WebhookError
from boardroom.kube.kinds import CLUSTER_ROLE_BINDING, Key, Object
from boardroom.kube.protocol import Kube

_log = logging.getLogger(__name__)
_KEPT: Final = ("roleRef", "subjects")


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """Writes the bindings. `clusterwide` is False for an operator of some namespaces, which may write none."""

    kube: Kube
    store: Store
    clusterwide: bool = True

    async def converge(self, board: Key, wanted: Object | None) -> list[Problem]:
        """Apply the board's binding, and delete others with its labels."""
        if not self.clusterwide:
            return [_NAMESPACED] if wanted else []
        name = wanted["metadata"]["name"] if wanted else None
        for live in self.store.of_board(CLUSTER_ROLE_BINDING, board):
            if live["metadata"]["name"] != name or live["roleRef"] != (wanted or {}).get("roleRef"):
                await self._delete(live)
        return [] if wanted is None else await self._apply(wanted)

    async def _apply(self, wanted: Object) -> list[Problem]:
        name = wanted["metadata"]["name"]
        live = self.store.get(CLUSTER_ROLE_BINDING, "", name)
        if live is not None and _same(live, wanted):
            return []
        try:
            # Without force if none has our labels: another owner's binding is not overwritten.
            result = await self.kube.apply(CLUSTER_ROLE_BINDING, wanted, force=live is not None)
        except ConflictError as error:
            message = f"ClusterRoleBinding {name} is somebody else's and is left alone: delete it ({error})"
            return [Problem(reason="NameConflict", message=message, stalled=True)]
        except WebhookError as error:
            return [webhook_problem(f"ClusterRoleBinding {name}", error)]
        except RefusedError as error:
            message = (
                f"the API server refuses ClusterRoleBinding {name}, by which the coordinator has tokens reviewed: "
                f"{error}; install the operator's ClusterRoles (rbac.create of its chart, or "
                "manifests/base/rbac.yaml), or choose spec.coordinator.auth.mode ApiKey"
            )
            return [Problem(reason="ApplyRefused", message=message, stalled=True)]
        self.store.put(CLUSTER_ROLE_BINDING, result)
        _log.info("applied ClusterRoleBinding %s", name)
        return []

    async def _delete(self, live: Object) -> None:
        """Delete a binding of ours; a label alone does not make it ours."""
        metadata = live["metadata"]
        if live["roleRef"]["name"] != AUTH_ROLE or "deletionTimestamp" in metadata:
            return
        await self.kube.delete(CLUSTER_ROLE_BINDING, "", metadata["name"], metadata["uid"])
        self.store.remove(CLUSTER_ROLE_BINDING, live)
        _log.info("deleted ClusterRoleBinding %s", metadata["name"])


def _same(live: Object, wanted: Object) -> bool:
    labels = live["metadata"].get("labels") or {}
    return labels.items() >= wanted["metadata"]["labels"].items() and all(live.get(f) == wanted[f] for f in _KEPT)


_NAMESPACED: Final = Problem(
    reason="ClusterWideOnly",
    message="spec.coordinator.auth.mode Kubernetes needs an operator that looks at all namespaces, because TokenReview "
    "is cluster-scoped: choose ApiKey",
    stalled=True,
)
