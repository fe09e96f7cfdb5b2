"""Whether an object that an earlier operator applied is as this one would apply it; if in doubt it is not."""

from typing import Any

import pytest

from boardroom.api.settings import Defaults
from boardroom.controller.apply.fingerprint import ANNOTATION, apply_hash, contains, with_apply_hash
from boardroom.kube import kinds
from boardroom.kube.kinds import Kind, Object
from unit.controller.objects import agent_object, board_object
from unit.controller.test_reconcile import Room

OURS: Object = {
    "metadata": {"name": "s", "labels": {"a": "b"}},
    "spec": {"ports": [{"name": "http", "port": 8080}], "selector": {"a": "b"}, "headless": False, "env": []},
}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(OURS, True, id="the same"),
        pytest.param(
            {
                "metadata": {"name": "s", "labels": {"a": "b", "else": "x"}, "uid": "u"},
                "spec": {
                    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                    "selector": {"a": "b"},
                    "headless": False,
                    "type": "ClusterIP",
                },
                "status": {},
            },
            True,
            id="defaults and others' fields, and no empty list",
        ),
        pytest.param(OURS | {"spec": OURS["spec"] | {"ports": [{"name": "http", "port": 1}]}}, False, id="a value"),
        pytest.param(OURS | {"spec": OURS["spec"] | {"ports": []}}, False, id="an item less"),
        pytest.param(OURS | {"spec": OURS["spec"] | {"ports": None}}, False, id="no list"),
        pytest.param(OURS | {"spec": OURS["spec"] | {"env": [{"name": "x"}]}}, False, id="an item more"),
        pytest.param(OURS | {"spec": OURS["spec"] | {"headless": None}}, False, id="false is not absent"),
        pytest.param(OURS | {"metadata": {"name": "s"}}, False, id="our labels are gone"),
        pytest.param(OURS | {"spec": "?"}, False, id="another type"),
    ],
)
def test_contains(live: Object, expected: bool) -> None:
    assert contains(live, OURS) is expected


def test_the_hash_differs_between_manifests_and_other_annotations_stay() -> None:
    manifest = {"metadata": {"name": "s", "annotations": {"x": "y"}}, "spec": {"a": 1, "b": 2}}
    less = manifest | {"spec": {"a": 1}}
    assert with_apply_hash(manifest, apply_hash(manifest))["metadata"]["annotations"] == {
        "x": "y",
        ANNOTATION: apply_hash(manifest),
    }
    assert not contains(with_apply_hash(manifest, apply_hash(manifest)), with_apply_hash(less, apply_hash(less)))


async def restarted(*, drift: tuple[Kind, str, Object] | None = None, **defaults: Any) -> list[tuple[str, str, str]]:
    """What an operator writes that starts over a board as another left it."""
    before = Room()
    before.has(kinds.BOARDROOM, board_object())
    before.has(kinds.BOARDAGENT, agent_object("CEO"))
    await before.reconcile()
    if drift is not None:
        kind, name, change = drift
        before.has(kind, before.live(kind, name) | change)
    after = Room(kube=before.kube, store=before.store, defaults=Defaults(**defaults))
    after.kube.requests.clear()
    await after.reconcile()
    return after.kube.writes


async def test_a_new_operator_writes_nothing_if_nothing_differs() -> None:
    assert await restarted() == []


async def test_a_new_operator_corrects_drift() -> None:
    drift = (kinds.SERVICE, "executive-lorax", {"spec": {"clusterIP": "10.0.0.1"}})
    assert await restarted(drift=drift) == [("apply", "Service", "executive-lorax")]


async def test_a_new_operator_writes_what_it_wants_otherwise() -> None:
    written = await restarted(lorax_port=9999)
    assert ("apply", "Service", "executive-lorax") in written
    assert ("apply", "ServiceAccount", "executive-coordinator") not in written
