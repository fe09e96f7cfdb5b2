"""The volumes of the LoRAX pod, and the claim for model weights that the operator creates."""

from boardroom.api.meta import DOWNLOADS_PATH, model_cache_name
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.launcher import CACHE_PATH
from boardroom.kube.kinds import CLAIM, Object

COMPONENT = "model-cache"
ADAPTERS = "adapters"
CREDENTIALS = "adapter-credentials"
CREDENTIALS_PATH = "/etc/boardroom/adapter-credentials"
_READABLE = 0o444
"""The sidecar's user does not own the files, and LoRAX does not mount them."""


def model_cache(blueprint: Blueprint, live: Object | None = None) -> Object | None:
    """The claim for the model's weights; None if the board names a claim of its own, or none.

    An existing claim outlives `enableLorax: false`, because its weights took long to download. A claim that outlives
    its board has no owner; a later board of the same name finds it by its labels.
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
        del manifest["metadata"]["ownerReferences"]  # else the garbage collector deletes it with the board
    return manifest


def volumes(blueprint: Blueprint) -> list[Object]:
    """The volumes of the LoRAX pod."""
    shm = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": blueprint.spec.lorax.shm_size}}
    return [
        shm,
        {"name": "cache", **_cache(blueprint)},
        {"name": ADAPTERS, **adapters_volume(blueprint)},
        {"name": "downloads", **_downloads(blueprint)},
        *_credentials(blueprint),
    ]


def lorax_mounts(blueprint: Blueprint) -> list[Object]:
    """The mounts of the LoRAX container."""
    return [
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 (the pod's shared memory, not a temporary file)
        {"name": "cache", "mountPath": CACHE_PATH},
        adapters_mount(blueprint),
        {"name": "downloads", "mountPath": DOWNLOADS_PATH, "readOnly": True},
    ]


def sidecar_mounts(blueprint: Blueprint) -> list[Object]:
    """The mounts of the adapters sidecar: it alone may write downloads and read the credentials."""
    mounts: list[Object] = [adapters_mount(blueprint), {"name": "downloads", "mountPath": DOWNLOADS_PATH}]
    if _credentials(blueprint):
        mounts.append({"name": CREDENTIALS, "mountPath": CREDENTIALS_PATH, "readOnly": True})
    return mounts


def adapters_mount(blueprint: Blueprint) -> Object:
    """The mount of the adapters, read-only for every container of the pod."""
    return {"name": ADAPTERS, "mountPath": blueprint.spec.adapters.mount_path, "readOnly": True}


def _cache(blueprint: Blueprint) -> Object:
    cache = blueprint.spec.model.cache
    if cache is not None and cache.claim_name is not None:
        return {"persistentVolumeClaim": {"claimName": cache.claim_name}}
    if cache is not None and cache.size is not None:
        return {"persistentVolumeClaim": {"claimName": model_cache_name(blueprint.name)}}
    return {"emptyDir": {}}


def _downloads(blueprint: Blueprint) -> Object:
    downloads = blueprint.spec.adapters.downloads
    if downloads.claim_name is not None:
        return {"persistentVolumeClaim": {"claimName": downloads.claim_name}}
    return {"emptyDir": {"sizeLimit": downloads.size_limit}}


def _credentials(blueprint: Blueprint) -> list[Object]:
    """The volume of the Secret for fetching. If it is missing the pod starts, and reads it once it exists."""
    reference = blueprint.spec.adapters.credentials_secret_ref
    if reference is None:
        return []
    secret = {"secretName": reference.name, "optional": True, "defaultMode": _READABLE}
    return [{"name": CREDENTIALS, "secret": secret}]


def adapters_volume(blueprint: Blueprint, *, written: bool = False) -> Object:
    """The source of the adapters volume; `written`: the pod fills it."""
    volume = blueprint.spec.adapters.volume
    only = {} if written else {"readOnly": True}
    if volume.persistent_volume_claim is not None:
        # Not readOnly, which would refuse a claim that its writer mounts on the same node; the mounts are read-only.
        return {"persistentVolumeClaim": volume.persistent_volume_claim.to_object()}
    if volume.nfs is not None:
        return {"nfs": volume.nfs.to_object() | only}
    if volume.csi is not None:
        return {"csi": volume.csi.to_object() | only}
    if volume.host_path is not None:
        return {"hostPath": {**volume.host_path.to_object(), "type": "Directory"}}
    return {"emptyDir": {}}
