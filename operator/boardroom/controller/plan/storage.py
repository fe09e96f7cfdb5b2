"""The volumes of the LoRAX pod, and the claim for model weights where the operator makes it."""

from boardroom.api.meta import model_cache_name
from boardroom.controller.kinds import CLAIM, Object
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.launcher import CACHE_PATH

COMPONENT = "model-cache"


def model_cache(blueprint: Blueprint, live: Object | None = None) -> Object | None:
    """The claim for the model's weights; None where the board names one of its own, or none.

    A claim that is there outlives `enableLorax: false`: weights that took an hour to download are not thrown away.
    One that is to outlive its board has no owner; a later board of the name finds it by its labels.
    """
    cache = blueprint.spec.model.cache
    if cache is None or cache.size is None or not (blueprint.settings.enabled or live):
        return None
    spec: Object = {
        "accessModes": [cache.access_mode or "ReadWriteOnce"],
        "resources": {"requests": {"storage": cache.size}},
    }
    if cache.storage_class_name is not None:
        spec["storageClassName"] = cache.storage_class_name
    manifest = blueprint.manifest(CLAIM, model_cache_name(blueprint.name), COMPONENT, spec=spec)
    if cache.when_deleted == "Retain":
        del manifest["metadata"]["ownerReferences"]  # or the garbage collector would take it with the board
    return manifest


def volumes(blueprint: Blueprint) -> list[Object]:
    """The LoRAX pod's volumes."""
    shm = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": blueprint.spec.lorax.shm_size}}
    return [shm, {"name": "cache", **_cache(blueprint)}, {"name": "adapters", **_adapters(blueprint)}]


def lorax_mounts(blueprint: Blueprint) -> list[Object]:
    """What the LoRAX container sees of them."""
    return [
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 (the pod's shared memory, not a temporary file)
        {"name": "cache", "mountPath": CACHE_PATH},
        adapters_mount(blueprint),
    ]


def adapters_mount(blueprint: Blueprint) -> Object:
    """The adapters, read-only: nothing in the pod changes them."""
    return {"name": "adapters", "mountPath": blueprint.spec.adapters.mount_path, "readOnly": True}


def _cache(blueprint: Blueprint) -> Object:
    cache = blueprint.spec.model.cache
    if cache is not None and cache.claim_name is not None:
        return {"persistentVolumeClaim": {"claimName": cache.claim_name}}
    if cache is not None and cache.size is not None:
        return {"persistentVolumeClaim": {"claimName": model_cache_name(blueprint.name)}}
    return {"emptyDir": {}}


def _adapters(blueprint: Blueprint) -> Object:
    volume = blueprint.spec.adapters.volume
    if volume.persistent_volume_claim is not None:
        # Not readOnly here: that would refuse to attach a claim that its writer holds on the same node. The mounts are.
        return {"persistentVolumeClaim": volume.persistent_volume_claim.to_object()}
    if volume.nfs is not None:
        return {"nfs": {**volume.nfs.to_object(), "readOnly": True}}
    if volume.csi is not None:
        return {"csi": {**volume.csi.to_object(), "readOnly": True}}
    if volume.host_path is not None:
        return {"hostPath": {**volume.host_path.to_object(), "type": "Directory"}}
    return {"emptyDir": {}}
