"""The generated parts of charts/: CRD templates of the operator's chart, and the values schema of the board's."""

import copy
import json
from typing import Any

from boardroom.api.boardagent import BoardAgentSpec
from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.generate.crds import crds, render
from boardroom.api.generate.schema import structural
from boardroom.api.quantity import INT_OR_STRING

Schema = dict[str, Any]

OPERATOR_CRDS = "boardroom-operator/templates/crds"
BOARD_SCHEMA = "boardroom/values.schema.json"
_KEEP = """\
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
"""
_NAME = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
_MEMBER = "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
_SIZE: Schema = {"pattern": r"^[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$", "minimum": 1}


def generated() -> dict[str, str]:
    """The text of each generated file, by its path below charts/."""
    templates = {f"{OPERATOR_CRDS}/{name}": crd_template(crd) for name, crd in crds().items()}
    return templates | {BOARD_SCHEMA: json.dumps(board_values(), indent=1, ensure_ascii=False) + "\n"}


def crd_template(crd: dict[str, Any]) -> str:
    """A CRD as a Helm template. Values decide whether it is installed, and kept on uninstall.

    Raises ValueError for a CRD that holds `{{`.
    """
    text = render(crd)
    if "{{" in text:
        raise ValueError(f"{crd['metadata']['name']} holds '{{{{', which Helm would interpret")
    head, tail = text.split("metadata:\n", 1)
    name, tail = tail.split("\n", 1)
    return f"{{{{- if .Values.crds.install }}}}\n{head}metadata:\n{name}\n{_KEEP}{tail}{{{{- end }}}}\n"


def board_values() -> Schema:
    """The JSON Schema of the board chart's values: the specs' schemas, closed, so that Helm names a wrong key."""
    member = closed(structural(BoardAgentSpec))
    del member["properties"]["boardroomRef"]  # the chart sets it
    member["required"] = [name for name in member["required"] if name != "boardroomRef"]
    claim = {
        "create": _boolean("Whether the release creates the claim that spec.adapters.volume names."),
        "size": {"description": "Its size.", "anyOf": INT_OR_STRING["anyOf"], **_SIZE},
        "storageClassName": _text("Its StorageClass. Empty: the cluster's default."),
        "accessModes": {
            "type": "array",
            "description": "Access modes; ReadOnlyMany or ReadWriteMany for replicas.",
            "minItems": 1,
            "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"]},
        },
        "keep": _boolean("Whether the claim stays when the release is uninstalled."),
    }
    return {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "Values of the boardroom chart",
        **_closed(
            "Values.",
            {
                "global": {"type": "object", "description": "Helm's global values, where this chart is a subchart."},
                "name": _text("The board's name. Empty: the release's.", pattern=f"^$|{_NAME}", maxLength=49),
                "labels": _strings("Additional labels of the Boardroom and the BoardAgents."),
                "annotations": _strings("Annotations of the Boardroom and the BoardAgents."),
                "spec": closed(structural(BoardroomSpec))
                | {"description": "The Boardroom's spec, field for field (docs/reference/boardroom.md)."},
                "members": {
                    "type": "object",
                    "description": "BoardAgents by key (a-z, 0-9, -), without boardroomRef. null removes a default.",
                    "maxProperties": 256,
                    # Not propertyNames: Helm reports their errors at another place.
                    "patternProperties": {_MEMBER: {"anyOf": [member, {"type": "null"}]}},
                    "additionalProperties": False,
                },
                "adaptersClaim": _closed("A claim for the adapters. The release creates it empty.", claim),
            },
        ),
    }


def closed(schema: Schema) -> Schema:
    """A structural schema as a JSON Schema that refuses unknown fields, without the API server's extensions."""
    copied = {key: value for key, value in copy.deepcopy(schema).items() if not key.startswith("x-kubernetes-")}
    if "properties" in copied:
        copied["properties"] = {name: closed(child) for name, child in copied["properties"].items()}
        copied["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(copied.get(key), dict):
            copied[key] = closed(copied[key])
    return copied


def _closed(description: str, properties: Schema) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": False, "properties": properties}


def _text(description: str, **rules: Any) -> Schema:
    return {"type": "string", "description": description, **rules}


def _boolean(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _strings(description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}
