"""Who may ask, decided by a real API server; the bindings it takes, made and swept under the operator's real rights."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from boardroom.api.coordinator import STALE_IF_ERROR_SECONDS
from boardroom.api.meta import COORDINATOR_MANAGER
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from boardroom.coordinator.auth.bearer import expiry
from boardroom.coordinator.auth.reviews import ALLOWED_SECONDS, Reviews
from boardroom.coordinator.errors import ApiError, AuthUnavailable, Forbidden, Unauthenticated
from boardroom.kube.client import KubeClient
from boardroom.kube.connection import Connection
from integration.boards import board
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from tools.waiting import until

BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
KUBERNETES = {"auth": {"mode": "Kubernetes"}}

ASKER = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "asker"},
    "rules": [{"apiGroups": ["boardroom.dev"], "resources": ["boardrooms/ask"], "verbs": ["create"]}],
}
ASKER_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "asker"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "asker"},
    "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "default"}],
}


@pytest.fixture
def own_operator(operator_kubeconfig: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(operator_kubeconfig, tmp_path / "log") as process:
        process.start()
        yield process


def binding(kube: KubeApi) -> httpx.Response:
    return kube.http.get(f"{BINDINGS}/boardroom:{kube.namespace}:executive")


def token(kube: KubeApi, account: str, audience: str) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]}}
    path = f"{kube.path('ServiceAccount', account)}/token"
    found: str = kube.http.post(path, json=body).raise_for_status().json()["status"]["token"]
    return found


def test_a_binding_goes_with_the_mode_and_with_the_board(own_operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board(coordinator=KUBERNETES))
    until("the binding", lambda: binding(kube).is_success)
    found = binding(kube).json()
    assert found["roleRef"]["name"] == "boardroom-coordinator-auth"
    assert [(s["namespace"], s["name"]) for s in found["subjects"]] == [(kube.namespace, "executive-coordinator")]
    kube.patch("Boardroom", "executive", {"spec": {"coordinator": {"auth": {"mode": "None"}}}})
    until("it is gone with the mode", lambda: binding(kube).status_code == 404)
    until("so is the commands' identity", lambda: kube.get("ServiceAccount", "executive-client") is None)
    kube.patch("Boardroom", "executive", {"spec": {"coordinator": KUBERNETES}})
    until("the binding is there again", lambda: binding(kube).is_success)
    own_operator.stop()
    kube.delete("Boardroom", "executive")
    until("the board is gone", lambda: kube.get("Boardroom", "executive") is None)
    assert binding(kube).is_success
    own_operator.start()
    until("what nobody owns is swept", lambda: binding(kube).status_code == 404)


def test_a_binding_of_that_name_that_is_somebody_elses_is_left_alone(
    own_operator: OperatorProcess, kube: KubeApi
) -> None:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "boardroom-coordinator-auth"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": kube.namespace}
    foreign = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"boardroom:{kube.namespace}:executive"},
        "roleRef": role,
        "subjects": [subject],
    }
    kube.http.post(BINDINGS, json=foreign).raise_for_status()
    kube.create(board(coordinator=KUBERNETES))
    until("the board says so", lambda: kube.condition("Boardroom", "executive", "Ready")["reason"] == "NameConflict")
    assert binding(kube).json()["subjects"] == [subject]
    kube.http.delete(
        f"{BINDINGS}/boardroom:{kube.namespace}:executive"
    ).raise_for_status()  # no namespace takes it along


def test_the_operator_can_bind_no_other_role(operator_kubeconfig: Path, kube: KubeApi, apiserver: ControlPlane) -> None:
    wanted = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"boardroom:{kube.namespace}:executive"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "executive-coordinator", "namespace": kube.namespace}],
    }
    with KubeApi(operator_kubeconfig, apiserver.server) as operator:
        assert operator.http.post(BINDINGS, json=wanted).status_code == 403


async def test_a_token_asks_for_as_long_as_it_has_the_right(
    own_operator: OperatorProcess, kube: KubeApi, apiserver: ControlPlane
) -> None:
    kube.create(board(coordinator=KUBERNETES))
    until("the operator's objects", lambda: binding(kube).is_success and kube.get("RoleBinding", "executive-client"))
    name = f"system:serviceaccount:{kube.namespace}:executive-coordinator"
    identity = Identity(name=f"auth-{kube.namespace}", common_name=name, organization="system:serviceaccounts")
    connection = await Connection.open(apiserver.write_kubeconfig(identity))
    client = KubeClient(connection.configuration, COORDINATOR_MANAGER)
    seconds = 0.0
    reviews = Reviews(client, "executive", kube.namespace, now=lambda: seconds)
    try:
        given = token(kube, "executive-client", "boardroom")
        asks = f"Bearer {given}"
        expected = f"system:serviceaccount:{kube.namespace}:executive-client"
        assert await reviews.caller(asks) == expected
        assert 0 < expiry(given) - time.time() <= STALE_IF_ERROR_SECONDS
        with pytest.raises(Unauthenticated):  # a pod's own token is good for the API server, and not for a board
            await reviews.caller(f"Bearer {token(kube, 'executive-client', 'https://kubernetes.default.svc')}")
        with pytest.raises(Forbidden, match="boardrooms/ask"):
            await reviews.caller(f"Bearer {token(kube, 'default', 'boardroom')}")
        own_operator.stop()  # it would put back what is taken away here
        kube.delete("RoleBinding", "executive-client")
        assert await reviews.caller(asks) == expected

        async def asked_anew() -> str:
            nonlocal seconds
            seconds += ALLOWED_SECONDS
            return await reviews.caller(asks)

        await _refused(Forbidden, asked_anew)
        kube.http.delete(f"{BINDINGS}/boardroom:{kube.namespace}:executive").raise_for_status()
        stranger = f"Bearer {token(kube, 'executive-client', 'boardroom')}x"
        refusal = await _refused(AuthUnavailable, lambda: reviews.caller(stranger))
        assert "may not have tokens reviewed" in str(refusal)
    finally:
        await client.close()
        await connection.close()


async def test_who_was_allowed_is_let_in_while_the_api_server_is_away_and_nobody_else(tmp_path: Path) -> None:
    seconds = 0.0
    with ControlPlane(tmp_path) as plane, KubeApi(plane.kubeconfig, plane.server) as kube:
        for account in ("app", "other"):
            kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}})
        kube.create(ASKER)
        kube.create(ASKER_BINDING)
        connection = await Connection.open(plane.kubeconfig)
        client = KubeClient(connection.configuration, COORDINATOR_MANAGER)
        reviews = Reviews(client, "executive", kube.namespace, now=lambda: seconds)
        asks, other = (f"Bearer {token(kube, account, 'boardroom')}" for account in ("app", "other"))
        try:
            name = await reviews.caller(asks)
            plane.stop()
            seconds = 2 * ALLOWED_SECONDS
            assert await reviews.caller(asks) == name == f"system:serviceaccount:{kube.namespace}:app"
            with pytest.raises(AuthUnavailable):
                await reviews.caller(other)
            plane.start()
            kube.delete("RoleBinding", "asker")

            async def asked_anew() -> str:
                nonlocal seconds
                seconds += ALLOWED_SECONDS
                return await reviews.caller(asks)

            await _refused(Forbidden, asked_anew)
        finally:
            await client.close()
            await connection.close()


async def _refused(error: type[ApiError], ask: Callable[[], Awaitable[str]]) -> ApiError:
    """The refusal that `ask` comes to: the API server's authorizer hears of a deletion a moment later."""
    for _ in range(100):
        try:
            await ask()
        except error as refusal:
            return refusal
        except ApiError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(f"there was no {error.__name__} in 10 s")
