"""Where a board's pods run, what of them a drain may take at once, and the GPUs that LoRAX gets."""

from boardroom.api.lorax import LoraxSpec
from boardroom.api.meta import selector
from boardroom.api.pods import Toleration
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.kube.kinds import DISRUPTION_BUDGET, Object


def spread(board: str, component: str) -> list[Object]:
    """Rather on different nodes. Also for one replica, so that a second one does not change the first one's pod."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector(board, component)},
        }
    ]


def disruption_budget(blueprint: Blueprint, name: str, component: str) -> Object:
    """A PodDisruptionBudget that lets one pod go at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(blueprint.name, component)}}
    return blueprint.manifest(DISRUPTION_BUDGET, name, component, spec=spec)


def placement(lorax: LoraxSpec) -> Object:
    """The pod's fields that the scheduler, admission and the container runtime go by; only those that are set."""
    fields = nodes(lorax)
    if lorax.runtime_class_name is not None:
        fields["runtimeClassName"] = lorax.runtime_class_name
    if lorax.priority_class_name is not None:
        fields["priorityClassName"] = lorax.priority_class_name
    if lorax.resource_claims:
        fields["resourceClaims"] = [claim.to_object() for claim in lorax.resource_claims]
    return fields


def nodes(lorax: LoraxSpec) -> Object:
    """The part of it that says on which nodes."""
    fields: Object = {"tolerations": _tolerations(lorax.tolerations)}
    if lorax.node_selector:
        fields["nodeSelector"] = dict(lorax.node_selector)
    # One that asks for nothing is left out: applied over another, an empty map stands or goes by what was there before.
    if lorax.affinity is not None and (asked := _filled(lorax.affinity.node_affinity.to_object())):
        fields["affinity"] = {"nodeAffinity": asked}
    return fields


def resources(lorax: LoraxSpec) -> Object:
    """The container's resources: what the board gives, and its GPUs as a limit or as claims."""
    gpu, given = lorax.gpu, lorax.resources
    requests = dict(given.requests or {}) if given else {}
    limits = dict(given.limits or {}) if given else {}
    claims = [{"name": claim.name} for claim in lorax.resource_claims]
    if not claims:
        # Requests of an extended resource must equal its limit, so what was given for it elsewhere does not count.
        requests.pop(gpu.resource_name, None)
        limits[gpu.resource_name] = str(gpu.count)
    named = {"requests": requests, "limits": limits, "claims": claims}
    return {name: value for name, value in named.items() if value}


def _tolerations(given: tuple[Toleration, ...] | None) -> list[Object]:
    if given is None:
        return [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    return [toleration.to_object() for toleration in given]


def _filled(fields: Object) -> Object:
    """Without empty lists: the API server drops them, and what it drops would look like drift."""
    return {name: _shorn(value) for name, value in fields.items() if value != []}


def _shorn(value: object) -> object:
    if isinstance(value, dict):
        return _filled(value)
    return [_shorn(item) for item in value] if isinstance(value, list) else value
