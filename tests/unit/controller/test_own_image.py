"""Coordinators and sidecars run from the operator's own image."""

import pytest

from boardroom.controller.own_image import StartError, own_image
from boardroom.controller.plan.blueprint import Image
from boardroom.kube.kinds import POD
from unit.kube.fake_kube import FakeKube

IN_A_POD = {"POD_NAME": "me", "POD_NAMESPACE": "boardroom-system"}


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube()
    containers = [{"name": "operator", "image": "registry/op:2", "imagePullPolicy": "Always"}]
    metadata = {"name": "me", "namespace": "boardroom-system"}
    kube.put(POD, {"metadata": metadata, "spec": {"containers": containers}})
    return kube


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"BOARDROOM_IMAGE": "x:1"}, Image(name="x:1", pull_policy="IfNotPresent")),
        ({"BOARDROOM_IMAGE": "x:1", "BOARDROOM_IMAGE_PULL_POLICY": "Never"}, Image(name="x:1", pull_policy="Never")),
        ({"BOARDROOM_IMAGE": "x:1"} | IN_A_POD, Image(name="x:1", pull_policy="IfNotPresent")),
        (IN_A_POD, Image(name="registry/op:2", pull_policy="Always")),
    ],
    ids=["given", "given with a policy", "given in a pod", "of the own pod"],
)
async def test_the_image(kube: FakeKube, env: dict[str, str], expected: Image) -> None:
    assert await own_image(kube, env) == expected


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, "BOARDROOM_IMAGE is not set"),
        (IN_A_POD | {"POD_NAME": "other"}, "pod boardroom-system/other has no container 'operator'"),
        ({"BOARDROOM_IMAGE_PULL_POLICY": "Sometimes"}, "give one of Always, IfNotPresent, Never"),
    ],
    ids=["nothing", "no such pod", "bad policy"],
)
async def test_what_is_missing_is_said_at_the_start(kube: FakeKube, env: dict[str, str], message: str) -> None:
    with pytest.raises(StartError, match=message.replace("(", r"\(")):
        await own_image(kube, env)
