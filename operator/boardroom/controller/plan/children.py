"""Every object that a board may own, with its manifest; None: the object should not exist, so delete it."""

from collections.abc import Callable
from dataclasses import dataclass

from boardroom.api.meta import client_name, coordinator_name, lorax_name, model_cache_name
from boardroom.controller.plan import coordinator, lorax, network, rbac, storage
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.kube.kinds import (
    CLAIM,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    Object,
)

Live = Callable[[Kind, str], Object | None]
"""Returns the live object of a kind and name in the board's namespace."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """An object that a board may own. The manifest is None if the board needs no such object."""

    kind: Kind
    name: str
    manifest: Object | None


def children(blueprint: Blueprint, live: Live) -> tuple[Child, ...]:
    """All objects in the order of application: the dependencies and policies of a pod come before the pod."""
    board = blueprint.name
    cache = storage.model_cache(blueprint, live(CLAIM, model_cache_name(board)))
    lorax_deployment = lorax.deployment(blueprint, live(DEPLOYMENT, lorax_name(board)))
    account, coordinators = live(SERVICE_ACCOUNT, coordinator_name(board)), live(DEPLOYMENT, coordinator_name(board))
    coordinator_deployment = coordinator.deployment(blueprint, account, coordinators)
    rows: tuple[tuple[Kind, str, Object | None], ...] = (
        (CLAIM, model_cache_name(board), cache),
        (SERVICE_ACCOUNT, coordinator_name(board), rbac.service_account(blueprint)),
        (ROLE, coordinator_name(board), rbac.role(blueprint)),
        (ROLE_BINDING, coordinator_name(board), rbac.role_binding(blueprint)),
        (SERVICE_ACCOUNT, client_name(board), rbac.client_account(blueprint)),
        (ROLE, client_name(board), rbac.client_role(blueprint)),
        (ROLE_BINDING, client_name(board), rbac.client_binding(blueprint)),
        (NETWORK_POLICY, lorax_name(board), network.lorax_policy(blueprint)),
        (NETWORK_POLICY, coordinator_name(board), network.coordinator_policy(blueprint)),
        (SERVICE, lorax_name(board), lorax.service(blueprint)),
        (DISRUPTION_BUDGET, lorax_name(board), lorax.budget(blueprint)),
        (DEPLOYMENT, lorax_name(board), lorax_deployment),
        (SERVICE, coordinator_name(board), coordinator.service(blueprint)),
        (DISRUPTION_BUDGET, coordinator_name(board), coordinator.budget(blueprint)),
        (DEPLOYMENT, coordinator_name(board), coordinator_deployment),
    )
    return tuple(Child(kind=kind, name=name, manifest=manifest) for kind, name, manifest in rows)
