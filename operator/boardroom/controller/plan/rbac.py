"""The coordinator's ServiceAccount and rights, and those of the account that `boardroom ask` uses."""

from boardroom.api.meta import (
    ASK,
    AUTH_ROLE,
    BOARDAGENTS,
    BOARDROOMS,
    GROUP,
    NAMESPACE_LABEL,
    auth_binding_name,
    client_name,
    coordinator_name,
    labels,
)
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.coordinator import COMPONENT
from boardroom.kube.kinds import CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, SERVICE_ACCOUNT, Object

CLIENT = "client"
_RBAC_GROUP = "rbac.authorization.k8s.io"


def service_account(blueprint: Blueprint) -> Object:
    """The coordinator's ServiceAccount; only its own pods mount a token."""
    name = coordinator_name(blueprint.name)
    return blueprint.manifest(SERVICE_ACCOUNT, name, COMPONENT, automountServiceAccountToken=False)


def role(blueprint: Blueprint) -> Object:
    """The coordinator's rights: its board by name, its members' status, and all agents and EndpointSlices of the
    namespace, because RBAC can't select those by board.

    The operator's own rules must contain these (manifests/base), else the API server refuses the Role as an escalation.
    """
    board = [blueprint.name]
    rules: list[Object] = [
        _rule(GROUP, BOARDROOMS, ["get", "list", "watch"], board),
        _rule(GROUP, BOARDAGENTS, ["get", "list", "watch"]),
        _rule(GROUP, f"{BOARDROOMS}/status", ["patch"], board),
        _rule("", "events", ["create", "patch"]),
        _rule("coordination.k8s.io", "leases", ["create"]),  # RBAC can't limit it by name
        _rule("coordination.k8s.io", "leases", ["get", "patch"], [coordinator_name(blueprint.name)]),
        _rule("discovery.k8s.io", "endpointslices", ["get", "list", "watch"]),
    ]
    if blueprint.auth.mode == "Kubernetes":
        rules.append(_rule("authorization.k8s.io", "localsubjectaccessreviews", ["create"]))
    if blueprint.members:  # a rule without names would mean every agent
        rules.append(_rule(GROUP, f"{BOARDAGENTS}/status", ["patch"], sorted(blueprint.members)))
    return blueprint.manifest(ROLE, coordinator_name(blueprint.name), COMPONENT, rules=rules)


def role_binding(blueprint: Blueprint) -> Object:
    """Binds the Role to the ServiceAccount."""
    return _binding(blueprint, coordinator_name(blueprint.name), COMPONENT)


def auth_binding(blueprint: Blueprint) -> Object | None:
    """Allows the coordinator TokenReview, which is cluster-scoped, so that no Role can; None with another auth mode.

    The binding can have no owner in a namespace: its labels name the board.
    """
    if blueprint.auth.mode != "Kubernetes":
        return None
    name, namespace = blueprint.name, blueprint.namespace
    return {
        "apiVersion": CLUSTER_ROLE_BINDING.api_version,
        "kind": CLUSTER_ROLE_BINDING.name,
        "metadata": {
            "name": auth_binding_name(namespace, name),
            "labels": labels(name, COMPONENT) | {NAMESPACE_LABEL: namespace},
        },
        "roleRef": {"apiGroup": _RBAC_GROUP, "kind": "ClusterRole", "name": AUTH_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": coordinator_name(name), "namespace": namespace}],
    }


def client_account(blueprint: Blueprint) -> Object | None:
    """The ServiceAccount of `boardroom ask`; only users who may create its tokens can use it."""
    if blueprint.auth.mode != "Kubernetes":
        return None
    name = client_name(blueprint.name)
    return blueprint.manifest(SERVICE_ACCOUNT, name, CLIENT, automountServiceAccountToken=False)


def client_role(blueprint: Blueprint) -> Object | None:
    """The right to ask this board and no other."""
    if blueprint.auth.mode != "Kubernetes":
        return None
    rules = [_rule(GROUP, f"{BOARDROOMS}/{ASK}", ["create"], [blueprint.name])]
    return blueprint.manifest(ROLE, client_name(blueprint.name), CLIENT, rules=rules)


def client_binding(blueprint: Blueprint) -> Object | None:
    """Binds that right to that ServiceAccount."""
    if blueprint.auth.mode != "Kubernetes":
        return None
    return _binding(blueprint, client_name(blueprint.name), CLIENT)


def _binding(blueprint: Blueprint, name: str, component: str) -> Object:
    """The RoleBinding of a Role and a ServiceAccount of the same name."""
    return blueprint.manifest(
        ROLE_BINDING,
        name,
        component,
        roleRef={"apiGroup": _RBAC_GROUP, "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": blueprint.namespace}],
    )


def _rule(group: str, resource: str, verbs: list[str], names: list[str] | None = None) -> Object:
    rule: Object = {"apiGroups": [group], "resources": [resource], "verbs": verbs}
    return rule | {"resourceNames": names} if names else rule
