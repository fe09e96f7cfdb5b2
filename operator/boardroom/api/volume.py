"""spec.adapters of a Boardroom: the volume with the members' LoRA adapters, and the limits of an adapter."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from boardroom.api.meta import DOWNLOADS_PATH
from boardroom.api.model import SET, LocalObjectReference, Model, ObjectName, pattern_rule, rule, rules, validated_by
from boardroom.api.quantity import Size

_MOUNT_PATH: Final = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"
"""No blanks or control characters (docs/lorax.md#malformed-id-abort)."""
_SERVER: Final = r"^[A-Za-z0-9\[]([A-Za-z0-9.:_-]*[A-Za-z0-9\]])?$"
_DRIVER: Final = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
_TAKEN: Final = r"^/(data|bin|etc|lib|lib64|opt|root|run|sbin|tmp|usr|var)$|^/(dev|proc|sys|etc/boardroom)(/.*)?$"

Path = Annotated[
    str,
    StringConstraints(min_length=2, max_length=512, pattern=r"^/[A-Za-z0-9._/-]+$"),
    Field(json_schema_extra=rules(rule("!self.split('/').exists(p, p == '..')", "no part may be .."))),
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
        json_schema_extra=pattern_rule(_SERVER, "give a host name or an IP address alone; the export is path"),
    )
    path: Path = Field(description="Exported path.")


class CsiSource(Model):
    """An inline CSI volume."""

    driver: str = Field(
        min_length=1,
        max_length=63,
        pattern=_DRIVER,
        description="Name of the CSI driver.",
        json_schema_extra=pattern_rule(_DRIVER, "give the driver's name as `kubectl get csidrivers` shows it"),
    )
    fs_type: str | None = Field(default=None, max_length=32, description="File system type the driver should mount.")
    volume_attributes: dict[str, Annotated[str, StringConstraints(max_length=1024)]] | None = Field(
        default=None, max_length=32, description="Attributes that the driver understands."
    )


class HostPathSource(Model):
    """A directory of the node, for development. Pod Security baseline refuses it."""

    path: Path = Field(description="Directory on the node.")


class AdapterVolume(Model):
    """The volume with adapters: at most one source. Without one only fetched adapters and members without any work."""

    model_config = validated_by(
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
    """The volume for fetched adapters in the LoRAX pod."""

    claim_name: ObjectName | None = Field(
        default=None,
        description="A PersistentVolumeClaim that keeps fetched adapters across pods. Unset: an emptyDir; each new pod "
        "fetches them again.",
    )
    size_limit: Size = Field(
        default="20Gi",
        description="Most bytes of all fetched adapters. The sidecar fetches no more, and the member's status says so.",
    )


class AdaptersSpec(Model):
    """Where the members' LoRA adapters come from, and the limits that an adapter must keep."""

    model_config = validated_by(
        rule(
            f"self.mountPath != '{DOWNLOADS_PATH}' && !self.mountPath.startsWith('{DOWNLOADS_PATH}/') && "
            f"!self.mountPath.matches(r'{_TAKEN}')",
            f"/data holds the model cache, {DOWNLOADS_PATH} fetched adapters, and system directories hold LoRAX: "
            "choose another mountPath",
            ".mountPath",
        )
    )
    mount_path: str = Field(
        default="/models",
        min_length=2,
        max_length=512,
        pattern=_MOUNT_PATH,
        description="Where the LoRAX pod mounts the volume, read-only.",
        json_schema_extra=pattern_rule(
            _MOUNT_PATH,
            "give an absolute path, for example /models: letters, digits, . _ and -, no part that begins with a dot, "
            "and no / at the end",
        ),
    )
    volume: AdapterVolume = Field(default_factory=AdapterVolume, description="The volume with the adapters.")
    downloads: AdapterDownloads = Field(
        default_factory=AdapterDownloads, description="The volume for adapters from a hub or from S3."
    )
    credentials_secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="The Secret with the sidecar's credentials. Keys: HF_TOKEN, sent to huggingface.co only or, if "
        "HF_ENDPOINT is set, to that endpoint only; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, "
        "AWS_REGION. A change takes effect within two minutes, without a restart.",
    )
    base_models: tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...] = Field(
        default=(),
        max_length=32,
        description="Further names of this base model that an adapter_config.json may hold (base_model_name_or_path), "
        "for example of its quantised version. An adapter that names another model is refused.",
        json_schema_extra=SET,
    )
    max_rank: int = Field(
        default=64, ge=1, le=512, description="Highest LoRA rank. Above 64 LoRAX does not use CUDA graphs."
    )
    max_size: Size = Field(
        default="2Gi",
        description="Largest size of one adapter's weights. LoRAX reserves a tenth of the GPU's memory for adapters "
        "unless spec.lorax.extraArgs sets --adapter-memory-fraction.",
    )
