"""Several LoRAX servers: their rollout, spread, disruption budget and shared volumes."""

from typing import Any

import pytest

from boardroom.controller.plan import coordinator, lorax, storage
from boardroom.controller.plan.children import children
from boardroom.kube.kinds import CLAIM, DISRUPTION_BUDGET
from unit.controller.objects import MODEL, Object, blueprint


def deployment(**spec: Any) -> Object:
    found = lorax.deployment(blueprint(**spec))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("replicas", "strategy"),
    [
        (1, {"type": "Recreate"}),
        (3, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
    ],
)
def test_no_update_needs_one_more_gpu(replicas: int, strategy: Object) -> None:
    spec = deployment(lorax={"replicas": replicas})["spec"]
    assert (spec["replicas"], spec["strategy"]) == (replicas, strategy)


def test_one_more_server_changes_nothing_in_the_pod_that_runs() -> None:
    one, two = (deployment(lorax={"replicas": count}) for count in (1, 2))
    assert one["spec"]["template"] == two["spec"]["template"]
    assert one["metadata"]["annotations"] == two["metadata"]["annotations"]


def test_servers_are_spread_over_nodes_where_that_can_be() -> None:
    (constraint,) = deployment(lorax={"replicas": 2})["spec"]["template"]["spec"]["topologySpreadConstraints"]
    labels = constraint.pop("labelSelector")["matchLabels"]
    assert constraint == {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
    }  # fmt: skip
    assert labels == deployment()["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"lorax": {"replicas": 2}}, True),
        ({"lorax": {"replicas": 1}}, False),
        ({"lorax": {"replicas": 2}, "suspend": True}, False),
        ({"lorax": {"replicas": 2}, "enableLorax": False}, False),
    ],
)
def test_a_drain_takes_one_server_at_a_time_where_another_goes_on(spec: Object, kept: bool) -> None:
    (budget,) = [
        c for c in children(blueprint(**spec), lambda *_: None) if c.kind is DISRUPTION_BUDGET and "lorax" in c.name
    ]
    assert (budget.manifest is not None) == kept
    if budget.manifest:
        labels = deployment(**spec)["spec"]["selector"]
        assert budget.manifest["spec"] == {"maxUnavailable": 1, "selector": labels}


@pytest.mark.parametrize(("given", "mode"), [(None, "ReadWriteOnce"), ("ReadWriteMany", "ReadWriteMany")])
def test_the_claim_has_the_access_mode_that_the_board_gives(given: str | None, mode: str) -> None:
    cache = {"size": "1Gi"} | ({"accessMode": given} if given else {})
    claim = storage.model_cache(blueprint(model={"id": MODEL, "cache": cache}))
    assert claim is not None
    assert (claim["kind"], claim["spec"]["accessModes"]) == (CLAIM.name, [mode])


@pytest.mark.parametrize("replicas", [1, 2])
def test_coordinators_are_rolled_without_a_gap_spread_and_kept_through_drains(replicas: int) -> None:
    plan = blueprint(coordinator={"replicas": replicas})
    spec, budget = coordinator.deployment(plan)["spec"], coordinator.budget(plan)
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]) == (replicas, {"maxUnavailable": 0, "maxSurge": 1})
    (constraint,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"] == spec["selector"]
    assert (budget and budget["spec"]) == (
        None if replicas == 1 else {"maxUnavailable": 1, "selector": spec["selector"]}
    )


def test_others_reach_a_coordinator_at_its_pods_address() -> None:
    (container,) = coordinator.deployment(blueprint())["spec"]["template"]["spec"]["containers"]
    (address,) = [e for e in container["env"] if e["name"] == "POD_IP"]
    assert address["valueFrom"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}
    assert container["args"][container["args"].index("--address") + 1] == "$(POD_IP)"
