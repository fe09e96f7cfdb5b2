"""The Job by which `boardroom adapters push` fills a board's adapters volume. The operator itself creates none."""

from typing import Final

from boardroom.api.meta import LOADER_PORT, selector
from boardroom.api.quantity import quantity_bytes
from boardroom.controller.plan import lorax, scheduling, security, storage
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.kube.kinds import JOB, Object

COMPONENT: Final = "adapters-loader"
CONTAINER: Final = "loader"
IDLE_SECONDS: Final = 120
"""The loader ends after so many seconds without a request of the command."""
_MAX_SECONDS: Final = 6 * 3600
_SHOWN_SECONDS: Final = 300
"""How long a finished Job stays, so that a user can read its logs."""
_RESOURCES: Final = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "512Mi"}}


def has_volume(blueprint: Blueprint) -> bool:
    """Whether the board has a volume that can be filled: an emptyDir is deleted with its pod."""
    return bool(blueprint.spec.adapters.volume.to_object())


def job(blueprint: Blueprint, *, beside_lorax: bool) -> Object:
    """The Job, created under a name that the API server generates.

    `beside_lorax` places it on the node of a running LoRAX pod, because a ReadWriteOnce claim is attached to one node.
    Otherwise it goes to a node that LoRAX could run on, so that a new claim is bound to a volume that LoRAX reaches.
    """
    manifest = blueprint.manifest(JOB, "", COMPONENT)
    metadata = manifest["metadata"] | {"generateName": f"{blueprint.name}-adapters-"}
    del metadata["name"]
    # The garbage collector deletes it with the board; its creator, a user, may not set blockOwnerDeletion.
    metadata["ownerReferences"] = [
        {key: value for key, value in owner.items() if key not in ("controller", "blockOwnerDeletion")}
        for owner in metadata["ownerReferences"]
    ]
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": _MAX_SECONDS,
        "ttlSecondsAfterFinished": _SHOWN_SECONDS,
        "template": {
            "metadata": {"labels": selector(blueprint.name, COMPONENT)},
            "spec": _pod(blueprint, beside_lorax=beside_lorax),
        },
    }
    return manifest | {"metadata": metadata, "spec": spec}


def _pod(blueprint: Blueprint, *, beside_lorax: bool) -> Object:
    return {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": security.USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(blueprint)],
        "volumes": [{"name": storage.ADAPTERS, **storage.adapters_volume(blueprint, written=True)}],
        **blueprint.pull_secrets(),
        **_placement(blueprint, beside_lorax=beside_lorax),
    }


def _placement(blueprint: Blueprint, *, beside_lorax: bool) -> Object:
    fields = scheduling.nodes(blueprint.spec.lorax)
    if beside_lorax:
        term = {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": selector(blueprint.name, lorax.COMPONENT)},
        }
        required = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        fields["affinity"] = fields.get("affinity", {}) | required
    return fields


def _container(blueprint: Blueprint) -> Object:
    adapters = blueprint.spec.adapters
    limits = ["--max-bytes", str(quantity_bytes(adapters.max_size)), "--idle-seconds", str(IDLE_SECONDS)]
    return {
        "name": CONTAINER,
        "image": blueprint.image.name,
        "imagePullPolicy": blueprint.image.pull_policy,
        "args": ["adapters", "receive", "--root", adapters.mount_path, *limits, "--port", str(LOADER_PORT)],
        "resources": _RESOURCES,
        "securityContext": security.restricted(),
        "volumeMounts": [{"name": storage.ADAPTERS, "mountPath": adapters.mount_path}],
    }
