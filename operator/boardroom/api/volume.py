"""spec.adapters of a Boardroom: the volume with the members' LoRA adapters, and what is asked of one."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from boardroom.api.meta import DOWNLOADS_PATH
from boardroom.api.model import SET, LocalObjectReference, Model, ObjectName, checked, rule, rules, said
from boardroom.api.quantity import Size

_MOUNT_PATH: Final = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"
"""Without blanks or control characters: LoRAX aborts on a newline in an adapter id."""
_SERVER: Final = r"^[A-Za-z0-9\[]([A-Za-z0-9.:_-]*[A-Za-z0-9\]])?$"
_DRIVER: Final = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
_TAKEN: Final = r"^/(data|bin|etc|lib|lib64|opt|root|run|sbin|tmp|usr|var)$|^/(dev|proc|sys|etc/boardroom)(/.*)?$"

Path = Annotated[
    str,
    StringConstraints(min_length=2, max_length=512, pattern=r"^/[A-Za-z0-9._/-]+$"),
    Field(json_schema_extra=rules(rule("!self.split('/').exists(p, p == '..')", "no part of it may be .."))),
]


class PersistentVolumeClaimSource(Model):
    """A claim in the board's namespace."""

    claim_name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")


class NfsSource(Model):
    """An NFS export."""

    server: str = Field(
        min_length=1,
        max_length=253,
        pattern=_SERVER,
        description="Host name or address of the NFS server.",
        json_schema_extra=said(_SERVER, "give a host name or an IP address alone; the export is path"),
    )
    path: Path = Field(description="Exported path.")


class CsiSource(Model):
    """An inline CSI volume."""

    driver: str = Field(
        min_length=1,
        max_length=63,
        pattern=_DRIVER,
        description="Name of the CSI driver.",
        json_schema_extra=said(_DRIVER, "give the driver's name as `kubectl get csidrivers` shows it"),
    )
    fs_type: str | None = Field(default=None, max_length=32, description="File system type the driver should mount.")
    volume_attributes: dict[str, Annotated[str, StringConstraints(max_length=1024)]] | None = Field(
        default=None, max_length=32, description="Attributes that the driver understands."
    )


class HostPathSource(Model):
    """A directory of the node; for development, refused by Pod Security baseline."""

    path: Path = Field(description="Directory on the node.")


class AdapterVolume(Model):
    """At most one source; without one the volume is empty and only members without an adapter can speak."""

    model_config = checked(
        rule(
            "[has(self.persistentVolumeClaim), has(self.nfs), has(self.csi), has(self.hostPath)]"
            ".filter(x, x).size() <= 1",
            "give at most one of persistentVolumeClaim, nfs, csi, hostPath",
        )
    )
    persistent_volume_claim: PersistentVolumeClaimSource | None = Field(
        default=None, description="A PersistentVolumeClaim in the same namespace."
    )
    nfs: NfsSource | None = Field(default=None, description="An NFS export.")
    csi: CsiSource | None = Field(default=None, description="An inline CSI volume.")
    host_path: HostPathSource | None = Field(default=None, description="A directory of the node, for development.")


class AdapterDownloads(Model):
    """Where fetched adapters lie in the LoRAX pod."""

    claim_name: ObjectName | None = Field(
        default=None,
        description="A PersistentVolumeClaim that keeps them when the pod goes. Unset: an emptyDir, and each new pod "
        "fetches them again.",
    )
    size_limit: Size = Field(
        default="20Gi", description="What they may take together; more is not fetched, and the member says so."
    )


class AdaptersSpec(Model):
    """Where the members' LoRA adapters are, and what is asked of one before LoRAX sees it."""

    model_config = checked(
        rule(
            f"self.mountPath != '{DOWNLOADS_PATH}' && !self.mountPath.startsWith('{DOWNLOADS_PATH}/') && "
            f"!self.mountPath.matches(r'{_TAKEN}')",
            f"/data holds the model cache, {DOWNLOADS_PATH} fetched adapters, and the system's own directories what "
            "LoRAX runs by; choose another mountPath",
            ".mountPath",
        )
    )
    mount_path: str = Field(
        default="/models",
        min_length=2,
        max_length=512,
        pattern=_MOUNT_PATH,
        description="Where the volume is mounted in the LoRAX pod, read-only.",
        json_schema_extra=said(
            _MOUNT_PATH,
            "give an absolute path, for example /models: letters, digits, . _ and -, no part that begins with a dot, "
            "and no / at the end",
        ),
    )
    volume: AdapterVolume = Field(default_factory=AdapterVolume, description="The volume that holds the adapters.")
    downloads: AdapterDownloads = Field(
        default_factory=AdapterDownloads, description="Where adapters from a hub or from S3 are kept."
    )
    credentials_secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="The Secret by which the sidecar fetches adapters. Keys: HF_TOKEN, sent to huggingface.co or, "
        "where HF_ENDPOINT is given, to that endpoint only; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
        "AWS_SESSION_TOKEN, AWS_REGION. A change counts within two minutes, without a restart.",
    )
    base_models: tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...] = Field(
        default=(),
        max_length=32,
        description="Further names by which an adapter_config.json may call this base model (base_model_name_or_path), "
        "for example its quantised twin's. An adapter that names another model is refused.",
        json_schema_extra=SET,
    )
    max_rank: int = Field(
        default=64, ge=1, le=512, description="Highest LoRA rank; above 64 LoRAX goes on without CUDA graphs."
    )
    max_size: Size = Field(
        default="2Gi",
        description="Most that one adapter's weights may weigh. LoRAX keeps a tenth of the GPU's memory for adapters "
        "unless --adapter-memory-fraction in spec.lorax.extraArgs says otherwise.",
    )
