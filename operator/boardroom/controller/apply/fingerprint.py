"""What the API server knows of our last apply: by it an operator that starts anew sees that there is nothing to write.

Each object of ours carries the digest of its manifest, so one that an older operator applied with more fields is not
taken for this one's. Whether the fields still say the same is looked up field by field.
"""

import hashlib
from typing import Final

import orjson

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/applied"


def apply_hash(obj: Object) -> str:
    """32 hexadecimal digits of an object."""
    return hashlib.blake2b(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def with_apply_hash(manifest: Object, value: str) -> Object:
    """The manifest with the digest on it."""
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations", {}) | {ANNOTATION: value}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


ATOMIC: Final = frozenset({"selector", "podSelector", "namespaceSelector", "nodeSelector"})
"""Maps that have one writer as a whole: a key that somebody added to one of ours is drift."""


def contains(live: object, ours: object) -> bool:
    """Whether everything in ours is in the live object; what it has beside that is a default, or another writer's.

    In doubt it is not: an item more in a list, or a quantity in other words than the API server's, costs an apply.
    """
    if isinstance(ours, dict):
        return isinstance(live, dict) and all(
            live.get(name) == value if name in ATOMIC else contains(live.get(name), value)
            for name, value in ours.items()
        )
    if isinstance(ours, list):
        items = live or []  # the API server drops an empty list
        return isinstance(items, list) and len(items) == len(ours) and all(map(contains, items, ours))
    return live == ours
