"""The few parts of a pod that a board may set; whole PodSpecs are not embedded (they'd fill Helm's release Secret)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from boardroom.api.model import Model, Quantity, SecretKeyRef, checked, rule

LabelValue = Annotated[str, StringConstraints(max_length=63)]
ResourceList = dict[str, Quantity]


class ResourceRequirements(Model):
    """Requests and limits of one container."""

    requests: ResourceList | None = Field(
        default=None, max_length=16, description="What the scheduler reserves, for example {cpu: 500m, memory: 1Gi}."
    )
    limits: ResourceList | None = Field(
        default=None, max_length=16, description="What the container may not exceed, for example {memory: 2Gi}."
    )


class Toleration(Model):
    """Lets the pod run on nodes with a matching taint."""

    key: str | None = Field(default=None, max_length=316, description="Taint key; empty with Exists matches all.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How key and value are compared.")
    value: LabelValue | None = Field(default=None, description="Taint value, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Taint effect to match; unset matches all."
    )
    toleration_seconds: int | None = Field(
        default=None, ge=0, description="How long a NoExecute taint is tolerated, in seconds."
    )


class EnvVar(Model):
    """One environment variable, literal or out of a Secret."""

    model_config = checked(
        rule(
            "has(self.value) != has(self.secretKeyRef)",
            "give either value or secretKeyRef",
        )
    )
    name: str = Field(
        min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Name of the variable."
    )
    value: str | None = Field(default=None, max_length=4096, description="Literal value; never a credential.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="Takes the value from a Secret.")
