"""The cache of all watched objects, by kind and by board."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import orjson

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import POD, Key, Kind, Object, boards_of, key_of, version_number, version_of


@dataclass(frozen=True, slots=True)
class _Entry:
    """An object as JSON text: dicts take several times the memory, and each garbage collection visits them."""

    uid: str
    version: int
    text: bytes

    def object(self) -> Object:
        decoded: Object = orjson.loads(self.text)
        return decoded


class Store:
    """The latest known version of each watched object.

    Watch events, lists and the results of our own writes arrive in any order; the highest resource version wins. Every
    returned object is a copy.
    """

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[Key, _Entry]] = defaultdict(dict)
        self._by_board: dict[Kind, dict[Key, set[Key]]] = defaultdict(lambda: defaultdict(set))

    def __contains__(self, of: tuple[Kind, Key]) -> bool:
        """Whether an object of that kind, namespace and name is known."""
        kind, key = of
        return key in self._objects[kind]

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object; None if it is not known."""
        entry = self._objects[kind].get((namespace, name))
        return entry.object() if entry is not None else None

    def get_in(self, namespace: str, kind: Kind, name: str) -> Object | None:
        """`get` with the namespace first, for functools.partial."""
        return self.get(kind, namespace, name)

    def of_board(self, kind: Kind, board: Key) -> list[Object]:
        """A board's objects of a kind, sorted by name."""
        keys = self._by_board[kind].get(board, ())
        return [self._objects[kind][key].object() for key in sorted(keys)]

    def boards(self) -> set[Key]:
        """Every board that an object concerns, whether the board exists or not."""
        return {board for index in self._by_board.values() for board, keys in index.items() if keys}

    def of_kind(self, kind: Kind) -> Iterable[Object]:
        """All objects of a kind."""
        return (entry.object() for entry in self._objects[kind].values())

    def put(self, kind: Kind, obj: Object) -> frozenset[Key]:
        """Store an object unless a newer version is known; returns the boards that it concerns."""
        key = key_of(obj)
        old = self._objects[kind].get(key)
        uid, version = _uid(obj), version_of(obj)
        if old is not None and old.version >= version and old.uid == uid:
            return frozenset()
        concerned = boards = boards_of(kind, obj)
        if old is not None:
            concerned |= self._drop(kind, key, old)
        self._objects[kind][key] = _Entry(uid, version, _text(_trimmed(kind, obj)))
        for board in boards:
            self._by_board[kind][board].add(key)
        return concerned

    def remove(self, kind: Kind, obj: Object) -> frozenset[Key]:
        """Remove a deleted object, but not its successor of the same name; returns the boards that it concerns."""
        key = key_of(obj)
        old = self._objects[kind].get(key)
        if old is None or (old.uid != _uid(obj) and old.version > version_of(obj)):
            return frozenset()
        return self._drop(kind, key, old) | boards_of(kind, obj)

    def retain(
        self, kind: Kind, namespace: str | None, listed: Collection[Key], resource_version: str
    ) -> frozenset[Key]:
        """Remove objects that a whole list lacks and that are not newer than it; returns the boards they concern."""
        horizon = version_number(resource_version)
        absent = [
            (key, entry)
            for key, entry in self._objects[kind].items()
            if key not in listed and namespace in (None, key[0]) and entry.version <= horizon
        ]
        return frozenset().union(*(self._drop(kind, key, entry) for key, entry in absent))

    def forget(self, kind: Kind, namespace: str | None) -> frozenset[Key]:
        """Remove all objects of a kind that is no longer served; returns the boards that they concern."""
        absent = [(key, entry) for key, entry in self._objects[kind].items() if namespace in (None, key[0])]
        return frozenset().union(*(self._drop(kind, key, entry) for key, entry in absent))

    def _drop(self, kind: Kind, key: Key, entry: _Entry) -> frozenset[Key]:
        del self._objects[kind][key]
        boards = boards_of(kind, entry.object())
        for board in boards:
            keys = self._by_board[kind][board]
            keys.discard(key)
            if not keys:
                del self._by_board[kind][board]
        return boards


def _trimmed(kind: Kind, obj: Object) -> Object:
    """The object without its large parts that are never read."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in ("managedFields", "annotations")}
    annotations = obj["metadata"].get("annotations") or {}
    metadata["annotations"] = {name: value for name, value in annotations.items() if name.startswith(f"{GROUP}/")}
    trimmed = obj | {"metadata": metadata}
    if kind is POD:
        trimmed.pop("spec", None)
    return trimmed


def _text(obj: Object) -> bytes:
    """JSON without spare capacity: the bytes of orjson.dumps keep its buffer, several times as large."""
    return bytes(memoryview(orjson.dumps(obj)))


def _uid(obj: Object) -> str:
    uid: str = obj["metadata"].get("uid", "")
    return uid
