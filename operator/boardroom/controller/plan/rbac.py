"""Who the coordinator is, and the little that it may do."""

from boardroom.api.meta import BOARDAGENTS, BOARDROOMS, GROUP, coordinator_name
from boardroom.controller.kinds import ROLE, ROLE_BINDING, SERVICE_ACCOUNT, Object
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.coordinator import COMPONENT

_RBAC_GROUP = "rbac.authorization.k8s.io"


def service_account(blueprint: Blueprint) -> Object:
    """The coordinator's identity; only its own pod mounts the token."""
    name = coordinator_name(blueprint.name)
    return blueprint.manifest(SERVICE_ACCOUNT, name, COMPONENT, automountServiceAccountToken=False)


def role(blueprint: Blueprint) -> Object:
    """Its own board by name; the namespace's agents, because RBAC can't select them by board; its members' status.

    The operator's own rules must contain these (manifests/base), else the API server refuses the Role as an escalation.
    """
    board = [blueprint.name]
    rules: list[Object] = [
        _rule(GROUP, BOARDROOMS, ["get", "list", "watch"], board),
        _rule(GROUP, BOARDAGENTS, ["get", "list", "watch"]),
        _rule(GROUP, f"{BOARDROOMS}/status", ["patch"], board),
        _rule("", "events", ["create", "patch"]),
    ]
    if blueprint.members:  # a rule without names would mean every agent
        rules.append(_rule(GROUP, f"{BOARDAGENTS}/status", ["patch"], sorted(blueprint.members)))
    return blueprint.manifest(ROLE, coordinator_name(blueprint.name), COMPONENT, rules=rules)


def role_binding(blueprint: Blueprint) -> Object:
    """Gives the Role to the ServiceAccount."""
    name = coordinator_name(blueprint.name)
    return blueprint.manifest(
        ROLE_BINDING,
        name,
        COMPONENT,
        roleRef={"apiGroup": _RBAC_GROUP, "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": blueprint.namespace}],
    )


def _rule(group: str, resource: str, verbs: list[str], names: list[str] | None = None) -> Object:
    rule: Object = {"apiGroups": [group], "resources": [resource], "verbs": verbs}
    return rule | {"resourceNames": names} if names else rule
