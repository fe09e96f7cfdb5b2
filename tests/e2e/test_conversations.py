"""A conversation in Redis on real pods: it goes on at the other coordinator, and outlives the one that began."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import debian
from boardroom.cluster.kind import why_no_docker
from e2e.board_on_pods import BoardOnPods, board
from tools.waiting import until

pytestmark = pytest.mark.e2e

PASSWORD = secrets.token_hex(16)
SECRET = {"name": "conversations", "key": "password"}
HOST = "redis.redis.svc.cluster.local"


@pytest.fixture(scope="module")
def remembering(operator: BoardOnPods, new_board: Callable[[str], BoardOnPods]) -> BoardOnPods:
    """A board with two coordinators and an external Redis."""
    if why_no_docker() is None:
        pytest.skip("Redis runs from this machine's Debian package, which kind's node does not have")
    try:
        debian.ensure([debian.REDIS])
    except debian.MissingProgramsError as error:
        pytest.skip(str(error))
    kube = operator.kubectl
    outside = BoardOnPods(Kubectl(program=kube.program, kubeconfig=kube.kubeconfig, namespace="redis"))
    outside.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "redis"}}, *redis_objects())
    outside.kubectl.run("wait", "pod/redis", "--for=condition=Ready", "--timeout=60s")
    made = new_board("redis-board")
    made.apply(password(made.namespace))
    spec = board(made)
    where = {"host": HOST, "passwordSecretRef": SECRET}
    spec["spec"]["coordinator"] = {"replicas": 2, "conversations": {"redis": where}}
    made.apply(spec)
    made.kubectl.run("rollout", "status", f"deployment/{made.name}-coordinator", "--timeout=180s")
    return made


def password(namespace: str) -> dict[str, Any]:
    metadata = {"name": SECRET["name"], "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {SECRET["key"]: PASSWORD}}


def redis_objects() -> list[dict[str, Any]]:
    """The server as a pod, by this machine's own binary and libraries: no registry is asked for an image of it."""
    libraries = "/machine/usr/lib/x86_64-linux-gnu"
    server = [
        f"{libraries}/ld-linux-x86-64.so.2",
        *("--argv0", "redis-server", "--library-path", libraries, "/machine/usr/bin/redis-check-rdb"),
        *("--save", "", "--requirepass", "$(PASSWORD)"),
    ]
    container = {
        "name": "redis",
        "image": "localhost/boardroom-operator:dev",
        "imagePullPolicy": "Never",
        "command": server,
        "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": SECRET}}],
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        "volumeMounts": [{"name": "usr", "mountPath": "/machine/usr", "readOnly": True}],
    }
    metadata = {"name": "redis", "namespace": "redis", "labels": {"app": "redis"}}
    volume = {"name": "usr", "hostPath": {"path": "/usr", "type": "Directory"}}
    return [
        password("redis"),
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        | {"spec": {"containers": [container], "volumes": [volume]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
        | {"spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]}},
    ]


def ask(board_: BoardOnPods, pod: str, question: str) -> dict[str, Any]:
    with board_.coordinator(pod) as client:
        response = client.post("/v1/ask", json={"user_input": question, "conv_id": "plans", "agents": ["ceo", "cfo"]})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def history(board_: BoardOnPods, pod: str) -> dict[str, list[tuple[str, str]]]:
    """What each member was asked and answered, as that pod tells it."""
    with board_.coordinator(pod) as client:
        found = client.get("/v1/conversations/plans").raise_for_status().json()
    return {m["agent"]: [(turn["asked"], turn["answered"]) for turn in m["turns"]] for m in found["members"]}


def prompt_tokens(answer: dict[str, Any]) -> dict[str, int]:
    return {a["agent"]: a["usage"]["prompt_tokens"] for a in answer["answers"]}


def turns(question: str, answer: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    return {a["agent"]: [(question, a["text"])] for a in answer["answers"]}


def joined(*parts: dict[str, list[tuple[str, str]]]) -> dict[str, list[tuple[str, str]]]:
    return {agent: [turn for part in parts for turn in part[agent]] for agent in parts[0]}


def test_a_conversation_goes_on_at_the_other_coordinator_and_outlives_the_first(remembering: BoardOnPods) -> None:
    first, second = sorted(pod["metadata"]["name"] for pod in remembering.pods("coordinator"))
    began = ask(remembering, first, "Shall we buy?")
    assert history(remembering, second) == turns("Shall we buy?", began)
    went_on = ask(remembering, second, "Shall we sell?")
    assert all(prompt_tokens(went_on)[agent] > count for agent, count in prompt_tokens(began).items())
    so_far = joined(turns("Shall we buy?", began), turns("Shall we sell?", went_on))
    assert history(remembering, first) == so_far
    remembering.kubectl.run("delete", "pod", first, "--grace-period=0", "--force")
    ended = ask(remembering, second, "Shall we wait?")
    assert all(prompt_tokens(ended)[agent] > count for agent, count in prompt_tokens(went_on).items())
    third = until("a new coordinator is ready", lambda: newcomer(remembering, {first, second}))
    assert history(remembering, third) == joined(so_far, turns("Shall we wait?", ended))


def newcomer(board_: BoardOnPods, known: set[str]) -> str | None:
    for pod in board_.pods("coordinator"):
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
        if ready and pod["metadata"]["name"] not in known:
            return str(pod["metadata"]["name"])
    return None


def test_the_password_stands_nowhere_but_in_its_secret(remembering: BoardOnPods) -> None:
    said = [remembering.kubectl.run("logs", pod["metadata"]["name"]) for pod in remembering.pods("coordinator")]
    said.append(remembering.kubectl.run("get", "deployments,pods,boardrooms,boardagents,events", "-o", "yaml"))
    assert [text for text in said if PASSWORD in text] == []
