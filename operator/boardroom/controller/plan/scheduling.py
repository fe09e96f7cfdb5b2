"""Scheduling of a board's pods, their disruption budgets (pods that a drain may evict at once), and LoRAX's GPUs."""

from boardroom.api.lorax import LoraxSpec
from boardroom.api.meta import selector
from boardroom.api.pods import Toleration
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.kube.kinds import DISRUPTION_BUDGET, Object


def spread(board: str, component: str) -> list[Object]:
    """Prefer different nodes. A single replica has the rule too, so that scaling up does not replace its pod."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(board, component)},
        }
    ]


def disruption_budget(blueprint: Blueprint, name: str, component: str) -> Object:
    """A PodDisruptionBudget that allows one eviction at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(blueprint.name, component)}}
    return blueprint.manifest(DISRUPTION_BUDGET, name, component, spec=spec)


def placement(lorax: LoraxSpec) -> Object:
    """The pod's fields for scheduler, admission and container runtime, without unset fields."""
    fields = nodes(lorax)
    if lorax.runtime_class_name is not None:
        fields["runtimeClassName"] = lorax.runtime_class_name
    if lorax.priority_class_name is not None:
        fields["priorityClassName"] = lorax.priority_class_name
    if lorax.resource_claims:
        fields["resourceClaims"] = [claim.to_object() for claim in lorax.resource_claims]
    return fields


def nodes(lorax: LoraxSpec) -> Object:
    """The pod's fields that select nodes."""
    fields: Object = {"tolerations": _tolerations(lorax.tolerations)}
    if lorax.node_selector:
        fields["nodeSelector"] = dict(lorax.node_selector)
    # Empty affinity is left out: whether an apply keeps an empty map depends on the live object.
    if lorax.affinity is not None and (affinity := _filled(lorax.affinity.node_affinity.to_object())):
        fields["affinity"] = {"nodeAffinity": affinity}
    return fields


def resources(lorax: LoraxSpec) -> Object:
    """The container's resources: the board's resources, and its GPUs as a limit or as claims."""
    gpu, given = lorax.gpu, lorax.resources
    requests = dict(given.requests or {}) if given else {}
    limits = dict(given.limits or {}) if given else {}
    claims = [{"name": claim.name} for claim in lorax.resource_claims]
    if not claims:
        # The request of an extended resource must equal its limit, so spec.lorax.resources does not count here.
        requests.pop(gpu.resource_name, None)
        limits[gpu.resource_name] = str(gpu.count)
    named = {"requests": requests, "limits": limits, "claims": claims}
    return {name: value for name, value in named.items() if value}


def _tolerations(given: tuple[Toleration, ...] | None) -> list[Object]:
    if given is None:
        return [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    return [toleration.to_object() for toleration in given]


def _filled(fields: Object) -> Object:
    """Remove empty lists: the API server drops them, which would look like drift."""
    return {name: _filled_value(value) for name, value in fields.items() if value != []}


def _filled_value(value: object) -> object:
    if isinstance(value, dict):
        return _filled(value)
    return [_filled_value(item) for item in value] if isinstance(value, list) else value
