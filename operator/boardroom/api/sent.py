"""Bodies that clients send: serializers of Java, Go and C# write what is not set as null, so null counts as absent."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


def nullable(schema: dict[str, Any]) -> None:
    """Say so in an object's JSON schema, of each field that may be absent."""
    for name in schema.get("properties", {}).keys() - set(schema.get("required", ())):
        field = schema["properties"][name]
        said = {key: field.pop(key) for key in ("default", "description", "title") if key in field}
        kinds = field.get("anyOf", [field] if field else [])
        if kinds and {"type": "null"} not in kinds and None not in field.get("enum", ()):
            field = {"anyOf": [*kinds, {"type": "null"}]}
        schema["properties"][name] = field | said


class Sent(BaseModel):
    """The base of bodies that are read as Python objects; what is null in one is not looked at."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=nullable)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        return {k: v for k, v in given.items() if v is not None} if isinstance(given, dict) else given
