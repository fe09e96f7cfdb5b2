"""Pods are replaced for what they read only when they start."""

import pytest

from boardroom.controller.plan import coordinator, identity
from boardroom.controller.plan.template import hash_of
from unit.controller.objects import Object, blueprint


def made(at: str, uid: str = "1", **annotations: str) -> Object:
    template = {"metadata": {"annotations": annotations} if annotations else {}}
    return {"metadata": {"uid": uid, "creationTimestamp": at}, "spec": {"template": template}}


OLD, SECOND, LATER = "2026-12-01T09:00:00Z", "2026-12-01T09:00:01Z", "2026-12-01T10:00:00Z"


@pytest.mark.parametrize(
    ("account", "deployment", "expected"),
    [
        pytest.param(None, None, None, id="a first installation"),
        pytest.param(made(OLD, "a"), None, None, id="a Deployment that was deleted: its pods go with it"),
        pytest.param(made(OLD, "a"), made(OLD), None, id="both of one second"),
        pytest.param(made(SECOND, "a"), made(OLD), None, id="by clocks that differ"),
        pytest.param(made(LATER, "b"), made(OLD), "b", id="an account made anew"),
        pytest.param(None, made(OLD, **{identity.ANNOTATION: "b"}), "b", id="it is gone once more: nothing moves yet"),
        pytest.param(None, made(OLD), None, id="it is gone for the first time: nothing moves yet"),
        pytest.param(made(LATER, "c"), made(OLD, **{identity.ANNOTATION: "b"}), "c", id="made anew once more"),
    ],
)
def test_pods_are_replaced_once_for_each_account_that_was_made_anew(
    account: Object | None, deployment: Object | None, expected: str | None
) -> None:
    found = coordinator.deployment(blueprint(), account, deployment)
    annotations = found["spec"]["template"]["metadata"].get("annotations", {})
    assert annotations.get(identity.ANNOTATION) == expected
    assert hash_of(found) == hash_of(coordinator.deployment(blueprint())), "and wait for no turn"
