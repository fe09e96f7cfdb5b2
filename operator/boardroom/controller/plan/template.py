"""The digest of a pod template, by which a later operator knows whether its own differs from what it finds."""

import hashlib
from typing import Final

import orjson

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/pod-template"
"""On each of our Deployments: the digest of its pod template as we built it."""


def template_hash(template: Object) -> str:
    """32 hexadecimal digits of a template."""
    return hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def with_template_hash(deployment: Object, of: str) -> Object:
    """The Deployment with the digest on it."""
    metadata = deployment["metadata"] | {"annotations": {ANNOTATION: of}}
    return deployment | {"metadata": metadata}


def hash_of(deployment: Object) -> str | None:
    """The digest that a Deployment carries, or None."""
    found: str | None = (deployment["metadata"].get("annotations") or {}).get(ANNOTATION)
    return found
