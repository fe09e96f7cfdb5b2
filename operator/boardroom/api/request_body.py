"""Request bodies. Serializers of Java, Go and C# write unset fields as null, so null counts as absent."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


def nullable(schema: dict[str, Any]) -> None:
    """Allow null in an object's JSON schema for each field that may be absent."""
    for name in schema.get("properties", {}).keys() - set(schema.get("required", ())):
        field = schema["properties"][name]
        annotations = {key: field.pop(key) for key in ("default", "description", "title") if key in field}
        kinds = field.get("anyOf", [field] if field else [])
        if kinds and {"type": "null"} not in kinds and None not in field.get("enum", ()):
            field = {"anyOf": [*kinds, {"type": "null"}]}
        schema["properties"][name] = field | annotations


class RequestBody(BaseModel):
    """The base of request bodies. Fields that are null are ignored."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=nullable)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, body: Any) -> Any:
        return {k: v for k, v in body.items() if v is not None} if isinstance(body, dict) else body
