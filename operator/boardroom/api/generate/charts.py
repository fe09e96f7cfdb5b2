"""The generated parts of charts/: the CRDs as templates of the operator's chart, and what the board's chart takes."""

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
    """Each generated file's text, by its path below charts/."""
    templates = {f"{OPERATOR_CRDS}/{name}": crd_template(crd) for name, crd in crds().items()}
    return templates | {BOARD_SCHEMA: json.dumps(board_values(), indent=1, ensure_ascii=False) + "\n"}


def crd_template(crd: dict[str, Any]) -> str:
    """A CRD as a Helm template: there at all, and kept on uninstall, as values say; ValueError where it holds `{{`."""
    text = render(crd)
    if "{{" in text:
        raise ValueError(f"{crd['metadata']['name']} holds '{{{{', which Helm would take for its own")
    head, tail = text.split("metadata:\n", 1)
    name, tail = tail.split("\n", 1)
    return f"{{{{- if .Values.crds.install }}}}\n{head}metadata:\n{name}\n{_KEEP}{tail}{{{{- end }}}}\n"


def board_values() -> Schema:
    """The JSON Schema of a board chart's values: the specs' own, closed, so that Helm names a bad key itself."""
    member = closed(structural(BoardAgentSpec))
    del member["properties"]["boardroomRef"]  # the chart knows the board
    member["required"] = [name for name in member["required"] if name != "boardroomRef"]
    claim = {
        "create": _boolean("Whether this release makes the claim that spec.adapters.volume names."),
        "size": {"description": "Its size.", "anyOf": INT_OR_STRING["anyOf"], **_SIZE},
        "storageClassName": _text("Its StorageClass. Empty: the cluster's default."),
        "accessModes": {
            "type": "array",
            "description": "Access modes; ReadOnlyMany or ReadWriteMany for replicas.",
            "minItems": 1,
            "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadOnlyMany", "ReadWriteMany"]},
        },
        "keep": _boolean("Whether the claim stays after an uninstall."),
    }
    return {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "Values of the boardroom chart",
        **_closed(
            "Values.",
            {
                "global": {"type": "object", "description": "Helm's own values, if this chart is part of another."},
                "name": _text("The board's name. Empty: the release's.", pattern=f"^$|{_NAME}", maxLength=49),
                "labels": _strings("Labels of the Boardroom and BoardAgents, besides the chart's."),
                "annotations": _strings("Annotations of the Boardroom and the BoardAgents."),
                "spec": closed(structural(BoardroomSpec))
                | {"description": "The Boardroom's spec, field for field (docs/reference/boardroom.md)."},
                "members": {
                    "type": "object",
                    "description": "Specs of BoardAgents BOARD-KEY, without boardroomRef. Null removes one.",
                    "maxProperties": 256,
                    # Not propertyNames: of these Helm names another place than the one at fault.
                    "patternProperties": {_MEMBER: {"anyOf": [member, {"type": "null"}]}},
                    "additionalProperties": False,
                },
                "adaptersClaim": _closed("An empty claim for the adapters.", claim),
            },
        ),
    }


def closed(schema: Schema) -> Schema:
    """A structural schema as a JSON Schema that refuses unknown fields; what only an API server reads is left out."""
    found = {key: value for key, value in copy.deepcopy(schema).items() if not key.startswith("x-kubernetes-")}
    if "properties" in found:
        found["properties"] = {name: closed(child) for name, child in found["properties"].items()}
        found["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = closed(found[key])
    return found


def _closed(description: str, properties: Schema) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": False, "properties": properties}


def _text(description: str, **rules: Any) -> Schema:
    return {"type": "string", "description": description, **rules}


def _boolean(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _strings(description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}
