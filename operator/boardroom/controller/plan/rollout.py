"""What of a board may change now, where the change is the operator's own: its pods are replaced when its turn comes."""

from collections.abc import Sequence
from typing import Final

from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.children import Child, Live
from boardroom.controller.plan.template import hash_of
from boardroom.kube.kinds import DEPLOYMENT, ROLE, ROLE_BINDING, SERVICE_ACCOUNT, Object, owned_by

_MEMBERS: Final = (SERVICE_ACCOUNT, ROLE, ROLE_BINDING)
"""What follows the members, and no pod runs by."""


def replaces_pods(blueprint: Blueprint, wanted: Sequence[Child], live: Live) -> bool:
    """Whether to apply these objects replaces or removes pods of the board that may run."""
    return any(
        child.kind is DEPLOYMENT and _replaces(blueprint, child, live(child.kind, child.name)) for child in wanted
    )


def disturbs_pods(blueprint: Blueprint, wanted: Sequence[Child], live: Live) -> bool:
    """The same, and where all pods of a Deployment go or come, as suspending and resuming a board does."""
    return replaces_pods(blueprint, wanted, live) or any(
        child.kind is DEPLOYMENT and _switches(child.manifest, live(child.kind, child.name)) for child in wanted
    )


def applied_while_waiting(wanted: Sequence[Child], live: Live) -> tuple[Child, ...]:
    """Those that are applied while the board waits: what follows the members, and what is missing."""
    return tuple(
        child
        for child in wanted
        if child.kind in _MEMBERS or (child.manifest is not None and live(child.kind, child.name) is None)
    )


def _replaces(blueprint: Blueprint, child: Child, live: Object | None) -> bool:
    if live is None or not owned_by(live, blueprint.name, blueprint.board.metadata.uid):
        return False
    return child.manifest is None or hash_of(live) != hash_of(child.manifest)


def _switches(wanted: Object | None, live: Object | None) -> bool:
    return bool(wanted and live and bool(wanted["spec"]["replicas"]) != bool(live["spec"].get("replicas")))
