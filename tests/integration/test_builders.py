"""Whatever spec the API server takes, it takes the objects that we make of it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults
from boardroom.cluster.controlplane import ControlPlane
from boardroom.controller.plan import loader
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import children
from boardroom.kube.kinds import JOB
from integration.boards import board
from integration.kube_api import KubeApi
from unit.controller.specs import MEMBERS, SPECS, Spec

DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}


@pytest.fixture(scope="module")
def shared_kube(apiserver: ControlPlane) -> Iterator[KubeApi]:
    """One namespace for every example: nothing is kept there."""
    with KubeApi(apiserver.kubeconfig, apiserver.server) as kube:
        yield kube


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(spec=SPECS, members=MEMBERS)
def test_every_object_of_any_valid_board_is_accepted(
    shared_kube: KubeApi, spec: Spec, members: tuple[str, ...]
) -> None:
    accepted = shared_kube.try_create(board(**spec), **DRY_RUN)
    assert accepted.status_code == 201, accepted.text
    blueprint = Blueprint(
        board=Boardroom.model_validate(accepted.json()),
        defaults=Defaults(),
        image=Image(name="boardroom-operator:1"),
        members=members,
    )
    job = loader.job(blueprint, beside_lorax=True)
    response = shared_kube.http.post(JOB.path(blueprint.namespace), params=DRY_RUN, json=job)
    assert response.status_code == 201, response.text
    for child in children(blueprint, lambda _kind, _name: None):
        if child.manifest is not None:
            path = child.kind.path(blueprint.namespace, child.name)
            response = shared_kube.apply(path, child.manifest, **DRY_RUN)
            assert response.status_code == 201, response.text


def test_the_loader_meets_pod_security_restricted(kube: KubeApi) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.http.patch(
        f"/api/v1/namespaces/{kube.namespace}",
        json={"metadata": {"labels": labels}},
        headers={"content-type": "application/merge-patch+json"},
    ).raise_for_status()
    volume = {"persistentVolumeClaim": {"claimName": "board-adapters"}}
    live = kube.create(board(adapters={"volume": volume}))
    blueprint = Blueprint(
        board=Boardroom.model_validate(live), defaults=Defaults(), image=Image(name="boardroom-operator:1")
    )
    pod = loader.job(blueprint, beside_lorax=False)["spec"]["template"] | {"apiVersion": "v1", "kind": "Pod"}
    pod["metadata"] |= {"name": "loader", "namespace": kube.namespace}
    response = kube.http.post(f"/api/v1/namespaces/{kube.namespace}/pods", params=DRY_RUN, json=pod)
    assert response.status_code == 201, response.text
