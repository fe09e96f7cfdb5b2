"""The schema of metadata, as the API server validates it."""

from typing import Any, Final

from boardroom.api.model import rule, rules
from boardroom.api.pods import LABEL_KEY, LABEL_VALUE

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_ANNOTATION_KEY: Final = LABEL_KEY.replace("a-z0-9", "A-Za-z0-9")
"""The API server compares an annotation's key in lower case."""


def _keys(pattern: str) -> dict[str, Any]:
    return rules(
        rule(
            f"self.all(k, k.matches(r'^{pattern}$'))",
            "a key has letters, digits, - _ and ., with a letter or digit at both ends, at most one / behind a domain",
        )
    )


_LABEL: Final = {"type": "string", "maxLength": 63, "pattern": LABEL_VALUE}

OBJECT_META: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 253,
            "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            "description": "a-z, 0-9, '-' and '.', with a letter or digit at both ends.",
        },
        "generateName": _TEXT,
        "namespace": {
            "type": "string",
            "maxLength": 63,
            "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
            "description": "a-z, 0-9 and '-'.",
        },
        "labels": {"type": "object", "additionalProperties": _LABEL, **_keys(LABEL_KEY)},
        "annotations": {"type": "object", "additionalProperties": _TEXT, **_keys(_ANNOTATION_KEY)},
        "finalizers": {"type": "array", "items": _TEXT},
        "ownerReferences": {"type": "array", "items": _OPEN},
        "managedFields": {"type": "array", "items": _OPEN},
        "uid": _TEXT,
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "generation": {"type": "integer", "format": "int64"},
        "creationTimestamp": _TIME,
        "deletionTimestamp": _TIME,
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
    },
}
