"""Structural schemas for CRDs from pydantic's JSON Schema: no $ref, no anyOf (except a quantity's), no title.

A model's default_factory is no schema default: the API server would write it into the user's spec.
"""

from copy import deepcopy
from typing import Any

from boardroom.api.model import Model

_KEPT = frozenset(
    {
        "type",
        "format",
        "description",
        "default",
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "required",
        "x-kubernetes-validations",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "x-kubernetes-int-or-string",
    }
)
_NAME_MAX = 316


def structural(model: type[Model]) -> dict[str, Any]:
    """The structural OpenAPI v3 schema of a model."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _node(schema, schema.get("$defs", {}))


def _node(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _resolved(schema, definitions)
    node = deepcopy({key: value for key, value in schema.items() if key in _KEPT})
    if "const" in schema:
        node["enum"] = [schema["const"]]
    if schema.get("x-kubernetes-int-or-string"):
        node["anyOf"] = deepcopy(schema["anyOf"])
    if schema.get("type") == "integer":
        node["format"] = "int64"
    if "properties" in schema:
        node["properties"] = {name: _node(child, definitions) for name, child in schema["properties"].items()}
    if "items" in schema:
        node["items"] = _node(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        node["additionalProperties"] = _node(schema["additionalProperties"], definitions)
    if node.get("default") in (None, "", []):
        node.pop("default", None)  # an empty default adds nothing
    if node.get("x-kubernetes-list-type") == "map":
        _bound_keys(node)
    return node


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema without $ref and null alternative. Keys nearer to the field take precedence."""
    if schema.get("x-kubernetes-int-or-string"):
        return schema  # the only union that is structural
    alternatives = [a for a in schema.get("anyOf", ()) if a.get("type") != "null"]
    if len(alternatives) > 1:
        raise TypeError(f"a union is not structural: {schema}")
    if alternatives:
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        return _merged(_resolved(alternatives[0], definitions), outer)
    if "$ref" in schema:
        outer = {key: value for key, value in schema.items() if key != "$ref"}
        return _merged(_resolved(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions), outer)
    return schema


def _merged(inner: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    validations = [*outer.get("x-kubernetes-validations", ()), *inner.get("x-kubernetes-validations", ())]
    return inner | outer | ({"x-kubernetes-validations": validations} if validations else {})


def _bound_keys(node: dict[str, Any]) -> None:
    """Make a map list's keys required, and bounded so that the API server can estimate the cost of its rules."""
    items = node["items"]
    for key in node["x-kubernetes-list-map-keys"]:
        items["properties"][key].setdefault("maxLength", _NAME_MAX)
        if key not in items.get("required", ()):
            items["required"] = [*items.get("required", ()), key]
