"""A pod template of before comes back, on a real Deployment controller: it takes the old ReplicaSet again."""

from functools import partial

import pytest

from integration.boards import agent, board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import bring_up
from tools.waiting import until

A: Object = {"lorax": {"adapterCacheSize": 10}, "coordinator": {"requestTimeoutSeconds": 100}}
B: dict[str, Object] = {
    "lorax": {"lorax": {"adapterCacheSize": 20}},
    "coordinator": {"coordinator": {"requestTimeoutSeconds": 200}},
}


@pytest.mark.parametrize("component", B)
def test_a_board_is_ready_after_each_template_however_often_it_was_there(
    operator_here: OperatorProcess, kube: KubeApi, component: str
) -> None:
    kube.create(board(**A))
    kube.create(agent("CEO", adapter={"none": True}))
    bring_up(kube, "ceo")
    for spec in (B[component], A, B[component]):
        generation = kube.patch("Boardroom", "executive", {"spec": spec})["metadata"]["generation"]
        until("the edit is seen", partial(observed, kube, generation))
        bring_up(kube, "ceo")
    revision = kube.live("Deployment", f"executive-{component}")["metadata"]["annotations"]
    assert revision["deployment.kubernetes.io/revision"] == "4"


def observed(kube: KubeApi, generation: int) -> bool:
    return bool(kube.live("Boardroom", "executive")["status"]["observedGeneration"] == generation)
