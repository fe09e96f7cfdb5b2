"""The LoRAX pod has what LoRAX needs (docs/lorax.md), and changes only when it must."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boardroom.api.settings import Defaults
from boardroom.controller.plan import lorax, storage
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import children
from boardroom.controller.plan.launcher import launcher_args
from unit.controller.objects import MODEL, Object, blueprint
from unit.controller.specs import MEMBERS, SPECS, Spec

ALWAYS = [
    "--model-id", MODEL, "--source", "hub", "--adapter-source", "local", "--hostname", "0.0.0.0",
    "--port", "8080", "--max-active-adapters", "100", "--max-concurrent-requests", "128",
]  # fmt: skip


def pod(plan: Blueprint, live: Object | None = None) -> Object:
    found = lorax.deployment(plan, live)
    assert found is not None
    spec: Object = found["spec"]["template"]["spec"]
    return spec


def container(plan: Blueprint, name: str = "lorax") -> Object:
    return next(c for c in pod(plan)["containers"] if c["name"] == name)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [*ALWAYS, "--json-output"]),
        (
            {"model": {"id": MODEL, "revision": "abc", "source": "Local"}},
            [*ALWAYS[:2], "--revision", "abc", "--source", "local", *ALWAYS[4:], "--json-output"],
        ),
        (
            {"lorax": {"maxInputTokens": 100, "maxTotalTokens": 200, "quantize": "awq"}},
            [
                *ALWAYS, "--max-input-length", "100", "--max-total-tokens", "200", "--quantize", "awq", "--json-output",
            ],
        ),
        ({"lorax": {"dtype": "bfloat16"}}, [*ALWAYS, "--dtype", "bfloat16", "--json-output"]),
        ({"lorax": {"gpu": {"count": 4}}}, [*ALWAYS, "--num-shard", "4", "--json-output"]),
        (
            {"lorax": {"resourceClaims": [{"name": "gpus", "resourceClaimName": "two"}], "shards": 2}},
            [*ALWAYS, "--num-shard", "2", "--json-output"],
        ),
        (
            {"lorax": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "one"}]}},
            [*ALWAYS, "--json-output"],
        ),
        ({"lorax": {"extraArgs": ["--compile"]}}, [*ALWAYS, "--json-output", "--compile"]),
    ],
    ids=["defaults", "model", "limits", "dtype", "shards", "shards of claims", "one claimed", "extra"],
)  # fmt: skip
def test_the_launchers_flags(spec: Object, expected: list[str]) -> None:
    plan = blueprint(**spec)
    assert launcher_args(plan.spec, plan.settings) == expected


def test_flags_follow_the_operators_defaults() -> None:
    plan = blueprint(defaults=Defaults(lorax_port=9000, adapter_cache_size=7, max_concurrent_requests=9))
    args = launcher_args(plan.spec, plan.settings)
    assert args[args.index("--port") :][:6] == [
        "--port", "9000", "--max-active-adapters", "7", "--max-concurrent-requests", "9",
    ]  # fmt: skip


def test_the_container_runs_lorax_as_lorax_wants_it() -> None:
    found = container(blueprint())
    health = {"httpGet": {"path": "/health", "port": "lorax"}}
    assert found["command"] == ["lorax-launcher"]
    assert found["image"] == "ghcr.io/predibase/lorax:0.12.1"
    assert found["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert found["startupProbe"] == health | {"periodSeconds": 5, "timeoutSeconds": 10, "failureThreshold": 360}
    assert found["readinessProbe"]["timeoutSeconds"] == 10
    assert (found["livenessProbe"]["timeoutSeconds"], found["livenessProbe"]["failureThreshold"]) == (30, 6)
    assert found["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert found["volumeMounts"] == [
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "cache", "mountPath": "/data"},
        {"name": "adapters", "mountPath": "/models", "readOnly": True},
        {"name": "downloads", "mountPath": "/adapters", "readOnly": True},
    ]


def test_secrets_and_variables_reach_lorax() -> None:
    spec: dict[str, Any] = {
        "model": {"id": MODEL, "tokenSecretRef": {"name": "hf", "key": "token"}},
        "lorax": {
            "env": [{"name": "A", "value": "1"}, {"name": "B", "secretKeyRef": {"name": "s", "key": "k"}}],
        },
    }
    assert container(blueprint(**spec))["env"] == [
        {"name": "HUGGINGFACE_HUB_CACHE", "value": "/data"},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]


def test_resources_are_merged_and_the_gpu_is_not_overridden() -> None:
    given_ = {"requests": {"cpu": "4", "x/gpu": "9"}, "limits": {"memory": "64Gi", "x/gpu": "9"}}
    plan = blueprint(lorax={"gpu": {"count": 2, "resourceName": "x/gpu"}, "resources": given_})
    expected = {"requests": {"cpu": "4"}, "limits": {"memory": "64Gi", "x/gpu": "2"}}
    assert container(plan)["resources"] == expected


@pytest.mark.parametrize(
    ("lorax_spec", "expected"),
    [
        ({}, {"limits": {"nvidia.com/gpu": "1"}}),
        ({"gpu": {"resourceName": "nvidia.com/mig-3g.40gb"}}, {"limits": {"nvidia.com/mig-3g.40gb": "1"}}),
        ({"gpu": {"resourceName": "nvidia.com/mig-1g.10gb.me"}}, {"limits": {"nvidia.com/mig-1g.10gb.me": "1"}}),
        (
            {
                "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "h100"}],
                "resources": {"limits": {"memory": "64Gi"}},
            },
            {"limits": {"memory": "64Gi"}, "claims": [{"name": "gpu"}]},
        ),
    ],
    ids=["one GPU", "a MIG slice", "a MIG slice with media engines", "claims"],
)
def test_the_gpus_are_a_limit_or_claims(lorax_spec: Object, expected: Object) -> None:
    assert container(blueprint(lorax=lorax_spec))["resources"] == expected


def test_claims_are_named_in_the_pod() -> None:
    claims = [
        {"name": "gpu", "resourceClaimTemplateName": "h100"},
        {"name": "link", "resourceClaimName": "fabric"},
    ]
    assert pod(blueprint(lorax={"resourceClaims": claims}))["resourceClaims"] == claims


def test_affinity_runtime_and_priority_reach_the_pod() -> None:
    product = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-H100-80GB-HBM3"]}
    memory = {"key": "nvidia.com/gpu.memory", "operator": "Exists"}
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [product]}]},
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 10, "preference": {"matchExpressions": [memory]}}
            ],
        }
    }
    set_ = {"affinity": affinity, "runtimeClassName": "nvidia", "priorityClassName": "gold"}
    found = pod(blueprint(lorax=set_))
    assert {name: found[name] for name in set_} == set_


def test_what_is_unset_is_left_out() -> None:
    assert set(pod(blueprint())) & {"affinity", "runtimeClassName", "priorityClassName", "resourceClaims"} == set()


@pytest.mark.parametrize("nothing", [{}, {"preferredDuringSchedulingIgnoredDuringExecution": []}])
def test_an_affinity_that_asks_for_nothing_is_left_out(nothing: dict[str, Any]) -> None:
    assert "affinity" not in pod(blueprint(lorax={"affinity": {"nodeAffinity": nothing}}))


def test_the_pod_is_placed_and_ends_as_it_should() -> None:
    found = pod(blueprint(lorax={"nodeSelector": {"gpu": "a100"}}, imagePullSecrets=[{"name": "reg"}]))
    kept = (
        "nodeSelector", "tolerations", "imagePullSecrets", "enableServiceLinks", "automountServiceAccountToken",
        "terminationGracePeriodSeconds",
    )  # fmt: skip
    assert {name: found[name] for name in kept} == {
        "nodeSelector": {"gpu": "a100"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "reg"}],
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 120,
    }


def test_tolerations_that_are_given_replace_the_default() -> None:
    assert pod(blueprint(lorax={"tolerations": []}))["tolerations"] == []


def test_the_deployment_waits_longer_than_lorax_may_take_to_start() -> None:
    found = lorax.deployment(blueprint(lorax={"startupTimeoutSeconds": 600}))
    assert found is not None
    assert found["spec"]["strategy"] == {"type": "Recreate"}
    assert found["spec"]["progressDeadlineSeconds"] == 1500


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({}, {"emptyDir": {}}),
        ({"persistentVolumeClaim": {"claimName": "c"}}, {"persistentVolumeClaim": {"claimName": "c"}}),
        ({"nfs": {"server": "s", "path": "/p"}}, {"nfs": {"server": "s", "path": "/p", "readOnly": True}}),
        (
            {"csi": {"driver": "d", "volumeAttributes": {"a": "b"}}},
            {"csi": {"driver": "d", "volumeAttributes": {"a": "b"}, "readOnly": True}},
        ),
        ({"hostPath": {"path": "/p"}}, {"hostPath": {"path": "/p", "type": "Directory"}}),
    ],
    ids=["none", "claim", "nfs", "csi", "hostPath"],
)
def test_the_adapters_volume(volume: Object, expected: Object) -> None:
    assert storage.volumes(blueprint(adapters={"volume": volume}))[2] == {"name": "adapters", **expected}


@pytest.mark.parametrize(
    ("cache", "volume", "claim"),
    [
        (None, {"emptyDir": {}}, None),
        ({"claimName": "mine"}, {"persistentVolumeClaim": {"claimName": "mine"}}, None),
        (
            {"size": "50Gi", "storageClassName": "fast"},
            {"persistentVolumeClaim": {"claimName": "executive-model-cache"}},
            {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "50Gi"}},
                "storageClassName": "fast",
            },
        ),
    ],
    ids=["none", "a claim", "a size"],
)
def test_the_model_cache(cache: Object | None, volume: Object, claim: Object | None) -> None:
    plan = blueprint(model={"id": MODEL, "cache": cache})
    made = storage.model_cache(plan)
    assert storage.volumes(plan)[1] == {"name": "cache", **volume}
    assert (made["spec"] if made else None) == claim


def test_the_sidecar_serves_the_mount_from_our_image_and_hides_no_readiness() -> None:
    found = container(blueprint(adapters={"mountPath": "/lora"}), "adapters")
    assert found["image"] == "boardroom-operator:1"
    assert found["args"] == [
        *("adapters", "serve", "--root", "/lora", "--store", "/adapters", "--store-limit", "20Gi"),
        *("--host", "0.0.0.0", "--port", "8082"),
    ]
    assert found["volumeMounts"] == [
        {"name": "adapters", "mountPath": "/lora", "readOnly": True},
        {"name": "downloads", "mountPath": "/adapters"},
    ]
    assert "readinessProbe" not in found


def test_only_the_sidecar_sees_the_credentials_for_adapters() -> None:
    plan = blueprint(adapters={"credentialsSecretRef": {"name": "hub"}})
    mount = {"name": "adapter-credentials", "mountPath": "/etc/boardroom/adapter-credentials", "readOnly": True}
    assert mount in container(plan, "adapters")["volumeMounts"]
    assert mount["mountPath"] in container(plan, "adapters")["args"]
    assert mount not in container(plan)["volumeMounts"]
    assert storage.volumes(plan)[-1]["secret"] == {"secretName": "hub", "optional": True, "defaultMode": 0o444}


@pytest.mark.parametrize(
    ("downloads", "volume", "group"),
    [
        ({}, {"emptyDir": {"sizeLimit": "20Gi"}}, None),
        ({"sizeLimit": "1Gi"}, {"emptyDir": {"sizeLimit": "1Gi"}}, None),
        ({"claimName": "kept"}, {"persistentVolumeClaim": {"claimName": "kept"}}, 65532),
    ],
)
def test_fetched_adapters_lie_where_the_board_says(downloads: Object, volume: Object, group: int | None) -> None:
    plan = blueprint(adapters={"downloads": downloads})
    made = lorax.deployment(plan)
    assert made is not None
    assert storage.volumes(plan)[3] == {"name": "downloads", **volume}
    assert made["spec"]["template"]["spec"]["securityContext"].get("fsGroup") == group


def rolled_out(plan: Blueprint) -> Object:
    """The Deployment as a cluster holds it after its pod has been up."""
    live = copy.deepcopy(lorax.deployment(plan))
    assert live is not None
    live["status"] = {"conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}
    return live


def upgraded(plan: Blueprint, **spec: Any) -> Blueprint:
    """The same board under the next version of the operator."""
    board = blueprint(**spec).board if spec else plan.board
    return Blueprint(board=board, defaults=plan.defaults, image=Image(name="boardroom-operator:2"))


def test_an_upgrade_of_the_operator_leaves_the_running_pod_alone() -> None:
    plan = blueprint()
    assert lorax.deployment(upgraded(plan), rolled_out(plan)) == lorax.deployment(plan)


def test_a_pod_that_is_replaced_anyway_takes_the_new_sidecar() -> None:
    plan = blueprint()
    found = pod(upgraded(plan, lorax={"port": 9000}), rolled_out(plan))
    assert [c["image"] for c in found["containers"]][1] == "boardroom-operator:2"


def test_a_pod_that_never_came_up_takes_the_new_sidecar() -> None:
    plan = blueprint()
    live = rolled_out(plan) | {"status": {}}
    assert [c["image"] for c in pod(upgraded(plan), live)["containers"]][1] == "boardroom-operator:2"


def test_a_suspended_board_keeps_its_deployment_without_a_pod() -> None:
    running, paused = (lorax.deployment(blueprint(suspend=suspend)) for suspend in (False, True))
    assert running is not None
    assert paused is not None
    assert (running["spec"].pop("replicas"), paused["spec"].pop("replicas")) == (1, 0)
    assert paused == running


def test_a_suspended_board_takes_the_new_sidecar() -> None:
    plan = blueprint()
    found = pod(upgraded(plan, suspend=True), rolled_out(plan))
    assert [c["image"] for c in found["containers"]][1] == "boardroom-operator:2"


def test_members_don_t_change_the_pod() -> None:
    assert lorax.deployment(blueprint(members=("a", "b"))) == lorax.deployment(blueprint())


def test_the_service_names_pods_that_are_not_ready_yet() -> None:
    found = lorax.service(blueprint(lorax={"port": 9000}))
    assert found is not None
    assert found["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {
            "app.kubernetes.io/name": "boardroom",
            "app.kubernetes.io/instance": "executive",
            "app.kubernetes.io/component": "lorax",
            "boardroom.dev/board": "executive",
        },
        "ports": [
            {"name": "lorax", "port": 9000, "targetPort": "lorax", "protocol": "TCP"},
            {"name": "adapters", "port": 8082, "targetPort": "adapters", "protocol": "TCP"},
        ],
    }


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=SPECS, members=MEMBERS)
def test_the_same_board_is_always_built_the_same(spec: Spec, members: tuple[str, ...]) -> None:
    first, second = (
        children(blueprint(members=members, **copy.deepcopy(spec)), lambda _kind, _name: None) for _ in range(2)
    )
    assert first == second


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(SPECS, min_size=2, max_size=4))
def test_edits_end_in_the_deployment_of_the_last_one(edits: list[Spec]) -> None:
    live = None
    for spec in edits:
        live = lorax.deployment(blueprint(**copy.deepcopy(spec)), live)
    expected = lorax.deployment(blueprint(**copy.deepcopy(edits[-1])))
    assert expected == live
