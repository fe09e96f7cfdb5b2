"""The base of all models of Kubernetes objects, and helpers for their schemas."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Frozen; camelCase on the wire; ignores unknown fields, which a newer CRD may have."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_enum_values=True
    )

    def to_object(self) -> dict[str, Any]:
        """The object in camelCase without unset fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def problems(error: ValidationError, *prefix: str) -> str:
    """The errors of an object as one text, each with its field below `prefix`."""
    return "; ".join(f"{'.'.join(map(str, (*prefix, *e['loc'])))}: {e['msg']}" for e in error.errors(include_url=False))


def rule(expression: str, message: str, field_path: str | None = None) -> dict[str, str]:
    """A CEL validation. The message names the remedy."""
    validation = {"rule": expression, "message": message}
    return validation | {"fieldPath": field_path} if field_path else validation


def rules(*validations: dict[str, str]) -> dict[str, JsonValue]:
    """CEL validations for a field's json_schema_extra."""
    return {"x-kubernetes-validations": [dict(v) for v in validations]}


def pattern_rule(pattern: str, message: str) -> dict[str, JsonValue]:
    """A field's pattern as a CEL rule with a remedy: the API server's own message shows only the pattern."""
    return rules(rule(f"self.matches(r'{pattern}')", message))


def validated_by(*validations: dict[str, str]) -> ConfigDict:
    """The config of a model with CEL validations."""
    return ConfigDict(json_schema_extra=rules(*validations))


def map_list(key: str) -> dict[str, JsonValue]:
    """A list keyed by one field, so that several field managers can own items of it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


ATOMIC: dict[str, JsonValue] = {"x-kubernetes-list-type": "atomic"}
SET: dict[str, JsonValue] = {"x-kubernetes-list-type": "set"}

PORT: Final = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
"""A TCP port as part of a pattern."""

ObjectName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
    ),
]
"""The name of another object in the same namespace (DNS-1123 subdomain)."""

Decimal = Annotated[str, StringConstraints(max_length=16, pattern=r"^[0-9]{1,4}(\.[0-9]{1,8})?$")]
"""A decimal number as a string: YAML and JSON tools may change floats."""


class LocalObjectReference(Model):
    """An object in the same namespace."""

    name: ObjectName = Field(description="Name of the object.")


class SecretKeyRef(Model):
    """One key of a Secret in the same namespace."""

    name: ObjectName = Field(description="Name of the Secret, in the namespace of this object.")
    key: str = Field(
        min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key within the Secret's data."
    )
