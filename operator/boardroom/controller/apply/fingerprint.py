"""Whether a live object is as this operator would apply it, so that an operator that restarts writes nothing.

Each applied object carries a hash of its manifest, as kubectl's last-applied annotation does. An object that an older
operator applied with more fields has another hash. Whether the fields still have their values is compared one by one.
"""

import hashlib
from typing import Final

import orjson

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/applied"


def apply_hash(obj: Object) -> str:
    """Hash of an object: 32 hexadecimal digits."""
    return hashlib.blake2b(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def with_apply_hash(manifest: Object, value: str) -> Object:
    """The manifest with an annotation of its hash."""
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations", {}) | {ANNOTATION: value}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


ATOMIC: Final = frozenset({"selector", "podSelector", "namespaceSelector", "nodeSelector"})
"""Maps with one manager as a whole: a key that another writer adds is drift."""


def contains(live: object, ours: object) -> bool:
    """Whether the live object has every field of ours; its further fields are defaults, or another manager's.

    False if in doubt: a longer list, or a quantity that the API server writes otherwise, costs one apply.
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
