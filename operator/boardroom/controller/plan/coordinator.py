"""The coordinator's Deployment and Service."""

from typing import Final

from boardroom.api.meta import (
    COORDINATOR_METRICS_PORT,
    COORDINATOR_PORT,
    REDIS_CA,
    REDIS_PASSWORD,
    STANDARD_API_KEY,
    coordinator_name,
    lorax_name,
    selector,
)
from boardroom.api.model import SecretKeyRef
from boardroom.controller.plan import identity, scheduling, security
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.environment import variables
from boardroom.controller.plan.template import template_hash, with_template_hash
from boardroom.kube.kinds import DEPLOYMENT, SERVICE, Object

COMPONENT: Final = "coordinator"
CONTAINER: Final = "coordinator"
_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
_DRAIN_SECONDS = 30
KEYS_PATH: Final = "/etc/boardroom/api-keys"
_KEYS = "api-keys"
_POD_IP = "POD_IP"
_READABLE = 0o444
"""The container's user does not own the files, and nobody else is in the pod."""


def endpoint(board: str, namespace: str) -> str:
    """URL at which a board takes questions inside the cluster."""
    return f"http://{coordinator_name(board)}.{namespace}.svc:{COORDINATOR_PORT}"


def deployment(blueprint: Blueprint, account: Object | None = None, live: Object | None = None) -> Object:
    """The Deployment; `account` and `live` are the live ServiceAccount and Deployment."""
    labels = selector(blueprint.name, COMPONENT)
    plain = {"metadata": {"labels": labels}, "spec": _pod(blueprint)}
    template = plain | {"metadata": {"labels": labels, **_annotations(account, live)}}
    manifest = blueprint.manifest(
        DEPLOYMENT,
        coordinator_name(blueprint.name),
        COMPONENT,
        spec={
            "replicas": blueprint.spec.coordinator.replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    )
    return with_template_hash(manifest, template_hash(plain))  # without the account: a new one waits for no rollout


def service(blueprint: Blueprint) -> Object:
    """The Service that takes questions."""
    return blueprint.manifest(
        SERVICE,
        coordinator_name(blueprint.name),
        COMPONENT,
        spec={
            "type": "ClusterIP",
            "selector": selector(blueprint.name, COMPONENT),
            "ports": [
                {"name": "http", "port": COORDINATOR_PORT, "targetPort": "http", "protocol": "TCP"},
                {"name": "metrics", "port": COORDINATOR_METRICS_PORT, "targetPort": "metrics", "protocol": "TCP"},
            ],
        },
    )


def budget(blueprint: Blueprint) -> Object | None:
    """The PodDisruptionBudget: a drain evicts one pod at a time; None if there is only one."""
    if blueprint.spec.coordinator.replicas == 1:
        return None
    return scheduling.disruption_budget(blueprint, coordinator_name(blueprint.name), COMPONENT)


def _annotations(account: Object | None, live: Object | None) -> Object:
    annotations = identity.pod_annotations(account, live)
    return {"annotations": annotations} if annotations else {}


def _pod(blueprint: Blueprint) -> Object:
    timeout = blueprint.spec.coordinator.request_timeout_seconds
    return {
        "serviceAccountName": coordinator_name(blueprint.name),
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        # A question in flight may take until its deadline.
        "terminationGracePeriodSeconds": timeout + _DRAIN_SECONDS,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(blueprint)],
        "topologySpreadConstraints": scheduling.spread(blueprint.name, COMPONENT),
        **_volumes(blueprint),
        **blueprint.pull_secrets(),
    }


def _container(blueprint: Blueprint) -> Object:
    resources = blueprint.spec.coordinator.resources
    return {
        "name": CONTAINER,
        "image": blueprint.image.name,
        "imagePullPolicy": blueprint.image.pull_policy,
        "args": _arguments(blueprint),
        "env": _environment(blueprint),
        **_mounts(blueprint),
        "ports": [
            {"name": "http", "containerPort": COORDINATOR_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": COORDINATOR_METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": resources.to_object() if resources else _RESOURCES,
        "securityContext": security.restricted(),
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "metrics"},
            "periodSeconds": 2,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "metrics"},
            "initialDelaySeconds": 10,
            "periodSeconds": 10,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
    }


def _environment(blueprint: Blueprint) -> list[Object]:
    plain = [
        {"name": name, "value": value} for name, value in blueprint.defaults.coordinator_env(blueprint.spec).items()
    ]
    secret = [
        {"name": name, "valueFrom": {"secretKeyRef": reference.to_object()}}
        for name, reference in _secrets(blueprint).items()
        if reference is not None
    ]
    address = {"name": _POD_IP, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}
    return [*plain, address, *secret, *variables(blueprint.spec.coordinator.env)]


def _secrets(blueprint: Blueprint) -> dict[str, SecretKeyRef | None]:
    """The Secrets of the environment by variable. If one is missing the pod does not start, and status reports it."""
    standard, redis = blueprint.spec.standard_inference, blueprint.spec.coordinator.conversations.redis
    return {
        STANDARD_API_KEY: standard.api_key_secret_ref if standard else None,
        REDIS_PASSWORD: redis.password_secret_ref if redis else None,
        REDIS_CA: redis.tls.ca_secret_ref if redis and redis.tls else None,
    }


def _volumes(blueprint: Blueprint) -> Object:
    """The Secret of API keys. If it is missing the pod starts, is not ready, and reads it once it exists."""
    keys = blueprint.auth.api_key_secret_ref
    if keys is None:
        return {}
    secret: Object = {"secretName": keys.name, "optional": True, "defaultMode": _READABLE}
    if keys.key is not None:
        secret["items"] = [{"key": keys.key, "path": keys.key}]
    return {"volumes": [{"name": _KEYS, "secret": secret}]}


def _mounts(blueprint: Blueprint) -> Object:
    if not _volumes(blueprint):
        return {}
    return {"volumeMounts": [{"name": _KEYS, "mountPath": KEYS_PATH, "readOnly": True}]}


def _arguments(blueprint: Blueprint) -> list[str]:
    name, namespace = blueprint.name, blueprint.namespace
    arguments = ["coordinator", "--board", name, "--namespace", namespace]
    if blueprint.settings.enabled:
        arguments += ["--lorax-service", lorax_name(name)]
    standard = blueprint.spec.standard_inference
    if standard is not None:
        arguments += ["--standard-url", standard.url, "--standard-model", standard.model]
    redis = blueprint.spec.coordinator.conversations.redis
    if redis is not None:
        arguments += ["--redis-url", redis.url]
    for origin in blueprint.spec.coordinator.cors.allow_origins:
        arguments += ["--cors-origin", origin]
    if blueprint.auth.mode != "None":
        arguments += ["--auth", blueprint.auth.mode]
    if blueprint.auth.stale_if_error_seconds is not None:
        arguments += ["--auth-stale-if-error", str(blueprint.auth.stale_if_error_seconds)]
    if blueprint.auth.mode == "ApiKey":
        arguments += ["--api-keys", KEYS_PATH]
    ports = ["--port", str(COORDINATOR_PORT), "--metrics-port", str(COORDINATOR_METRICS_PORT)]
    return [*arguments, "--address", f"$({_POD_IP})", "--host", "0.0.0.0", *ports]
