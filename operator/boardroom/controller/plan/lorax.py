"""The LoRAX Deployment and its headless Service."""

import math
from typing import Final

from boardroom.api.meta import ADAPTERS_PORT, DOWNLOADS_PATH, lorax_name, selector
from boardroom.controller.plan import launcher, preload, scheduling, security, storage
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.template import hash_of, template_hash, with_template_hash
from boardroom.kube.kinds import DEPLOYMENT, SERVICE, Object

COMPONENT: Final = "lorax"
CONTAINER: Final = "lorax"
SIDECAR: Final = "adapters"
_GRACE_SECONDS = 120  # LoRAX lets requests in flight finish for 90 s
_PRE_STOP_SECONDS = 5  # endpoints are gone everywhere before the listener closes
_PULL_SECONDS = 900  # LoRAX's image has more than 10 GB
_PROBE_SECONDS = 5
_SIDECAR_RESOURCES = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}


def deployment(blueprint: Blueprint, live: Object | None = None) -> Object | None:
    """The Deployment; None if the board runs without LoRAX.

    If only our own image differs from the `live` Deployment, the sidecar keeps its running image: an upgrade of the
    operator must not restart a GPU pod, which a suspended board does not have. Preloaded adapters follow the members
    and not the operator, so they are no part of the template's hash either.
    """
    if not blueprint.settings.enabled:
        return None
    pod = _pod(blueprint)
    sidecar = _sidecar(blueprint)
    pod["spec"]["containers"].append(sidecar)
    built = template_hash(pod)  # without the sidecar's image: another hash replaces the pod anyway
    _preload(pod, blueprint)
    suspended = blueprint.spec.suspend
    image = (None if suspended else _running_sidecar(live, built)) or blueprint.image
    sidecar |= {"image": image.name, "imagePullPolicy": image.pull_policy}
    manifest = blueprint.manifest(
        DEPLOYMENT,
        lorax_name(blueprint.name),
        COMPONENT,
        spec={
            "replicas": 0 if suspended else blueprint.spec.lorax.replicas,
            "strategy": _strategy(blueprint.spec.lorax.replicas),
            "progressDeadlineSeconds": deadline(blueprint),
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector(blueprint.name, COMPONENT)},
            "template": pod,
        },
    )
    return with_template_hash(manifest, built)


def deadline(blueprint: Blueprint) -> int:
    """Progress deadline in seconds: a new pod that is not up by then needs an edit."""
    return blueprint.spec.lorax.startup_timeout_seconds + _PULL_SECONDS


def service(blueprint: Blueprint) -> Object | None:
    """The headless Service; None if the board runs without LoRAX.

    It publishes pods that are not ready, too: the coordinator distinguishes a server that starts (connection refused)
    from one without a pod (no address), and reads the adapters while the model still loads.
    """
    if not blueprint.settings.enabled:
        return None
    return blueprint.manifest(
        SERVICE,
        lorax_name(blueprint.name),
        COMPONENT,
        spec={
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector(blueprint.name, COMPONENT),
            "ports": [
                {"name": "lorax", "port": blueprint.settings.port, "targetPort": "lorax", "protocol": "TCP"},
                {"name": "adapters", "port": ADAPTERS_PORT, "targetPort": "adapters", "protocol": "TCP"},
            ],
        },
    )


def budget(blueprint: Blueprint) -> Object | None:
    """The PodDisruptionBudget: a drain evicts one pod at a time; None if there is at most one."""
    if not blueprint.settings.enabled or blueprint.spec.suspend or blueprint.spec.lorax.replicas == 1:
        return None
    return scheduling.disruption_budget(blueprint, lorax_name(blueprint.name), COMPONENT)


def _strategy(replicas: int) -> Object:
    """Never surge: a surge needs one more GPU, and waits for ever if there is none."""
    if replicas == 1:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def _running_sidecar(live: Object | None, built: str) -> Image | None:
    """The running image of the sidecar, if the pod differs in nothing else and has been up once."""
    if live is None or hash_of(live) != built:
        return None
    conditions = live.get("status", {}).get("conditions") or ()
    if not any(c["type"] == "Progressing" and c.get("reason") == "NewReplicaSetAvailable" for c in conditions):
        return None
    containers = live["spec"]["template"]["spec"]["containers"]
    return next(
        (Image(name=c["image"], pull_policy=c["imagePullPolicy"]) for c in containers if c["name"] == SIDECAR), None
    )


def _pod(blueprint: Blueprint) -> Object:
    spec: Object = {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **_group(blueprint)},
        "containers": [_container(blueprint)],
        "volumes": storage.volumes(blueprint),
        **blueprint.pull_secrets(),
        **scheduling.placement(blueprint.spec.lorax),
        "topologySpreadConstraints": scheduling.spread(blueprint.name, COMPONENT),
    }
    return {"metadata": {"labels": selector(blueprint.name, COMPONENT)}, "spec": spec}


def _preload(pod: Object, blueprint: Blueprint) -> None:
    if blueprint.preloaded:
        pod["metadata"]["annotations"] = preload.annotations(blueprint.preloaded)
        pod["spec"]["containers"][0]["args"] = launcher.launcher_args(
            blueprint.spec, blueprint.settings, preloaded=blueprint.preloaded
        )


def _group(blueprint: Blueprint) -> Object:
    """fsGroup, by which a claim for fetched adapters is writable for the sidecar, which is not root."""
    if blueprint.spec.adapters.downloads.claim_name is None:
        return {}
    return {"fsGroup": security.USER, "fsGroupChangePolicy": "OnRootMismatch"}


def _container(blueprint: Blueprint) -> Object:
    health = {"httpGet": {"path": "/health", "port": "lorax"}}
    window = math.ceil(blueprint.spec.lorax.startup_timeout_seconds / _PROBE_SECONDS)
    return {
        "name": CONTAINER,
        "image": blueprint.settings.image,
        "imagePullPolicy": blueprint.spec.lorax.image_pull_policy,
        "command": ["lorax-launcher"],
        "args": launcher.launcher_args(blueprint.spec, blueprint.settings),
        "env": launcher.environment(blueprint),
        "ports": [{"name": "lorax", "containerPort": blueprint.settings.port, "protocol": "TCP"}],
        "resources": scheduling.resources(blueprint.spec.lorax),
        "securityContext": security.baseline(),
        "startupProbe": {**health, "periodSeconds": _PROBE_SECONDS, "timeoutSeconds": 10, "failureThreshold": window},
        "readinessProbe": {**health, "periodSeconds": _PROBE_SECONDS, "timeoutSeconds": 10, "failureThreshold": 3},
        # Shallow health (docs/lorax.md): /health waits behind a forward pass, so a busy server is slow and not dead.
        "livenessProbe": {**health, "periodSeconds": 30, "timeoutSeconds": 30, "failureThreshold": 6},
        "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}},
        "volumeMounts": storage.lorax_mounts(blueprint),
    }


def _sidecar(blueprint: Blueprint) -> Object:
    """The sidecar, which serves the adapters volume and fetches adapters from elsewhere; still without its image.

    It has no readiness probe: the pod is ready when LoRAX is.
    """
    health = {"httpGet": {"path": "/healthz", "port": "adapters"}, "timeoutSeconds": 10}
    adapters = blueprint.spec.adapters
    store = ["--store", DOWNLOADS_PATH, "--store-limit", adapters.downloads.size_limit]
    if adapters.credentials_secret_ref is not None:
        store += ["--credentials", storage.CREDENTIALS_PATH]
    listen = ["--host", "0.0.0.0", "--port", str(ADAPTERS_PORT)]
    return {
        "name": SIDECAR,
        "args": ["adapters", "serve", "--root", adapters.mount_path, *store, *listen],
        "ports": [{"name": "adapters", "containerPort": ADAPTERS_PORT, "protocol": "TCP"}],
        "resources": _SIDECAR_RESOURCES,
        "securityContext": security.restricted(),
        "startupProbe": {**health, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**health, "periodSeconds": 20, "failureThreshold": 6},
        "volumeMounts": storage.sidecar_mounts(blueprint),
    }
