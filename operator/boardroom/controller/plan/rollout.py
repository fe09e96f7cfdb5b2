"""Selects the objects of a board that wait for its rollout if the operator itself caused the change."""

from collections.abc import Sequence
from typing import Final

from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.children import Child, Live
from boardroom.controller.plan.template import hash_of
from boardroom.kube.kinds import DEPLOYMENT, ROLE, ROLE_BINDING, SERVICE_ACCOUNT, Object, owned_by

_MEMBERS: Final = (SERVICE_ACCOUNT, ROLE, ROLE_BINDING)
"""Kinds that follow the members and replace no pod."""


def replaces_pods(blueprint: Blueprint, wanted: Sequence[Child], live: Live) -> bool:
    """Whether applying these objects replaces or removes running pods of the board."""
    return any(
        child.kind is DEPLOYMENT and _replaces(blueprint, child, live(child.kind, child.name)) for child in wanted
    )


def disturbs_pods(blueprint: Blueprint, wanted: Sequence[Child], live: Live) -> bool:
    """Whether applying these objects replaces pods, or starts or ends all pods of a Deployment (suspend, resume)."""
    return replaces_pods(blueprint, wanted, live) or any(
        child.kind is DEPLOYMENT and _switches(child.manifest, live(child.kind, child.name)) for child in wanted
    )


def applied_while_waiting(wanted: Sequence[Child], live: Live) -> tuple[Child, ...]:
    """The objects to apply while the board waits: objects that depend on its members, and missing objects."""
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
