"""The hash of a pod template, by which a later operator knows whether its own template differs."""

import hashlib
from typing import Final

import orjson

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/pod-template"
"""On each of our Deployments: the hash of the pod template as it was built."""


def template_hash(template: Object) -> str:
    """Hash of a template: 32 hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def with_template_hash(deployment: Object, value: str) -> Object:
    """The Deployment with an annotation of the hash."""
    metadata = deployment["metadata"] | {"annotations": {ANNOTATION: value}}
    return deployment | {"metadata": metadata}


def hash_of(deployment: Object) -> str | None:
    """The hash in a Deployment's annotation; None if it has none."""
    value: str | None = (deployment["metadata"].get("annotations") or {}).get(ANNOTATION)
    return value
