"""The parts of a pod that a board may set. A whole PodSpec would fill Helm's release Secret."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from boardroom.api.model import Model, SecretKeyRef, pattern_rule, rule, validated_by
from boardroom.api.quantity import Quantity, cel_quantity

LABEL_KEY: Final = r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_VALUE: Final = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=316, pattern=f"^{LABEL_KEY}$")]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=63, pattern=LABEL_VALUE),
    Field(
        json_schema_extra=pattern_rule(
            LABEL_VALUE, "give a label's value: letters, digits, - _ and ., with a letter or digit at both ends"
        )
    ),
]
ResourceList = dict[str, Quantity]
_MAX_RESOURCES: Final = 15
"""API servers before 1.36 estimate a quantity's length by a whole request, and refuse a rule that compares 16."""
_COMPARED: Final = f"{cel_quantity('self.requests[k]')}.compareTo({cel_quantity('self.limits[k]')})"


class ResourceRequirements(Model):
    """Requests and limits of one container."""

    model_config = validated_by(
        *(
            rule(
                f"!has(self.{part}) || self.{part}.all(k, k in ['cpu', 'memory', 'ephemeral-storage'] || "
                "k.startsWith('hugepages-') || k.contains('/'))",
                "a resource is cpu, memory, ephemeral-storage, hugepages-SIZE or an extended one with its domain "
                "(example.com/device)",
                f".{part}",
            )
            for part in ("requests", "limits")
        ),
        rule(
            "!has(self.requests) || !has(self.limits) || "
            f"self.requests.all(k, !(k in self.limits) || {_COMPARED} <= 0)",
            "a request exceeds the limit of the same resource: raise limits or lower requests",
            ".requests",
        ),
        rule(
            "!has(self.requests) || self.requests.all(k, !(k.contains('/') || k.startsWith('hugepages-')) || "
            f"(has(self.limits) && k in self.limits && {_COMPARED} == 0))",
            "extended resources and hugepages can't be shared: give the same in limits, or only in limits",
            ".requests",
        ),
    )
    requests: ResourceList | None = Field(
        default=None,
        max_length=_MAX_RESOURCES,
        description="Resources that the scheduler reserves, for example {cpu: 500m, memory: 1Gi}.",
    )
    limits: ResourceList | None = Field(
        default=None,
        max_length=_MAX_RESOURCES,
        description="Most that the container may use, for example {memory: 2Gi}.",
    )


class Toleration(Model):
    """Allows the pod on nodes with a matching taint."""

    model_config = validated_by(
        rule(
            "self.operator == 'Exists' || (has(self.key) && self.key != '')",
            "a toleration without key needs operator: Exists, and tolerates every taint",
            ".key",
        ),
        rule(
            "self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "operator Exists takes no value: leave it out, or use Equal",
            ".value",
        ),
        rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds needs effect: NoExecute",
            ".tolerationSeconds",
        ),
    )
    key: str | None = Field(
        default=None,
        max_length=316,
        pattern=f"^({LABEL_KEY})?$",
        description="Taint key; empty with Exists matches all.",
    )
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How key and value match.")
    value: LabelValue | None = Field(default=None, description="Taint value, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Taint effect to match; unset matches all."
    )
    toleration_seconds: int | None = Field(
        default=None, ge=0, description="Seconds for which the pod tolerates a NoExecute taint."
    )


class EnvVar(Model):
    """One environment variable, literal or from a Secret."""

    model_config = validated_by(
        rule(
            "has(self.value) != has(self.secretKeyRef)",
            "give either value or secretKeyRef",
        )
    )
    name: str = Field(
        min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Name of the variable."
    )
    value: str | None = Field(default=None, max_length=4096, description="Literal value; never a credential.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="A Secret's key that holds the value.")
