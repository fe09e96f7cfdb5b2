"""JSON Schemas for kubeconform, out of what a real API server says of itself: builtin kinds and CRDs alike, offline."""

import json
from pathlib import Path
from typing import Any

import httpx

LOCATION = "{{.Group}}-{{.ResourceKind}}-{{.ResourceAPIVersion}}.json"
"""How kubeconform finds a kind's file (its own template language)."""

Schema = dict[str, Any]


def write(http: httpx.Client, folder: Path) -> None:
    """A file for each kind of every group and version that the server serves, which refuses fields it does not know."""
    served: dict[str, Any] = http.get("/openapi/v3").raise_for_status().json()["paths"]
    for path, place in served.items():
        if path.startswith(("apis/", "api/v1")) and path.count("/") >= (2 if path.startswith("apis/") else 1):
            # The address has the description's hash in it, and leads on to the newest one.
            answer = http.get(place["serverRelativeURL"], follow_redirects=True)
            components = answer.raise_for_status().json()["components"]
            _close(components)
            for name, schema in components.get("schemas", {}).items():
                for kind in schema.get("x-kubernetes-group-version-kind", ()):
                    group = kind["group"] or kind["version"]  # kubeconform's group of apiVersion v1
                    file = folder / f"{group}-{kind['kind'].lower()}-{kind['version']}.json"
                    whole = {"$ref": f"#/components/schemas/{name}", "components": components}
                    file.write_text(json.dumps(whole), encoding="utf-8")


def _close(node: Any) -> None:
    """Make each schema with properties refuse others, in place, unless the server itself keeps them."""
    if isinstance(node, list):
        for each in node:
            _close(each)
    elif isinstance(node, dict):
        open_ = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-embedded-resource")
        if isinstance(node.get("properties"), dict) and "additionalProperties" not in node and not open_:
            node["additionalProperties"] = False
        for each in node.values():
            _close(each)
