"""An operator that starts over boards that stand writes nothing but what drifted while none looked."""

from integration.boards import agent, board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from tools.waiting import until


def settle(operator_here: OperatorProcess, kube: KubeApi) -> None:
    """Until the last of the children is there, and nothing was written for a whole resync."""

    def quiet() -> bool:
        writes, seen = operator_here.writes(), operator_here.reconciles()
        until("another reconcile", lambda: operator_here.reconciles() > seen)
        return operator_here.writes() == writes

    until("the children are there", lambda: kube.get("Deployment", "executive-coordinator"))
    until("it settles", quiet)


def test_a_restarted_operator_writes_only_what_drifted_meanwhile(operator_here: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(lorax={"resources": {"limits": {"memory": "24Gi", "cpu": "500m"}}}))
    kube.create(agent("CEO"))
    settle(operator_here, kube)
    operator_here.stop()
    operator_here.start()
    settle(operator_here, kube)
    assert operator_here.writes() == 0
    operator_here.stop()
    selector = kube.live("Service", "executive-lorax")["spec"]["selector"]
    kube.patch("Service", "executive-lorax", {"spec": {"selector": {"app.kubernetes.io/component": "other"}}})
    assert kube.live("Service", "executive-lorax")["spec"]["selector"] != selector
    operator_here.start()
    settle(operator_here, kube)
    assert operator_here.writes() == 1
    assert kube.live("Service", "executive-lorax")["spec"]["selector"] == selector
