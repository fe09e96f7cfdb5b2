"""Watch events, lists and results of our own writes arrive in any order; the newest version wins."""

import tracemalloc
from typing import Any

import pytest

from boardroom.controller.watch.cache import Store
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, POD, SERVICE
from unit.controller.objects import Object, agent_object, board_object

KEY = ("team", "executive")


def service(version: int, *, name: str = "s", uid: str = "u", board: str = "executive", **metadata: Any) -> Object:
    labels = {"boardroom.dev/board": board}
    return {
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": str(version), "labels": labels}
        | metadata
    }


@pytest.fixture
def store() -> Store:
    return Store()


def version(store: Store, name: str = "s") -> str | None:
    found = store.get(SERVICE, "team", name)
    return found["metadata"]["resourceVersion"] if found else None


@pytest.mark.parametrize("order", [(1, 10), (10, 1)])
def test_the_newer_version_wins_in_any_order(store: Store, order: tuple[int, int]) -> None:
    for number in order:
        store.put(SERVICE, service(number))
    assert version(store) == "10"


def test_an_old_version_concerns_nobody(store: Store) -> None:
    store.put(SERVICE, service(2))
    assert store.put(SERVICE, service(1)) == frozenset()


def test_an_object_concerns_its_board(store: Store) -> None:
    concerned = [
        store.put(BOARDROOM, board_object()),
        store.put(BOARDAGENT, agent_object("CEO")),
        store.put(SERVICE, service(1)),
    ]
    assert concerned == [frozenset({KEY})] * 3


def test_a_relabelled_child_concerns_its_owner_too(store: Store) -> None:
    owner = [{"kind": "Boardroom", "name": "executive", "controller": True}]
    concerned = store.put(SERVICE, service(1, board="other", ownerReferences=owner))
    assert concerned == {KEY, ("team", "other")}


def test_what_was_deleted_is_forgotten(store: Store) -> None:
    store.put(SERVICE, service(1))
    assert store.remove(SERVICE, service(2)) == {KEY}
    assert (version(store), store.of_board(SERVICE, KEY), store.boards()) == (None, [], set())


def test_the_end_of_a_predecessor_does_not_remove_its_successor(store: Store) -> None:
    store.put(SERVICE, service(5, uid="new"))
    store.remove(SERVICE, service(4, uid="old"))
    assert version(store) == "5"


def test_what_a_list_lacks_is_gone_unless_it_is_newer_than_the_list(store: Store) -> None:
    store.put(SERVICE, service(1, name="gone"))
    store.put(SERVICE, service(9, name="newer"))
    store.put(SERVICE, service(3, name="there"))
    concerned = store.retain(SERVICE, None, {("team", "there")}, "5")
    assert [o["metadata"]["name"] for o in store.of_board(SERVICE, KEY)] == ["newer", "there"]
    assert concerned == {KEY}


def test_a_list_of_one_namespace_says_nothing_of_another(store: Store) -> None:
    store.put(SERVICE, service(1))
    store.retain(SERVICE, "elsewhere", (), "5")
    assert version(store) == "1"


def test_a_pods_spec_and_bookkeeping_are_not_kept(store: Store) -> None:
    pod = service(1, annotations={"a": "b", "boardroom.dev/x": "y"}, managedFields=[{}]) | {"spec": {}, "status": {}}
    store.put(POD, pod)
    kept = store.get(POD, "team", "s")
    assert kept is not None
    assert sorted(kept) == ["metadata", "status"]
    assert (kept["metadata"]["annotations"], "managedFields" in kept["metadata"]) == ({"boardroom.dev/x": "y"}, False)


def test_an_object_takes_little_more_room_than_its_text() -> None:
    store, text = Store(), "x" * 1500
    tracemalloc.start()
    for number in range(200):
        store.put(SERVICE, service(1, name=f"s-{number}", text=text))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2 * 200 * len(text)
