"""Adapters out of a real S3 server on real pods: fetched beside LoRAX, spoken through, replaced without a restart."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters import read
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.cluster.kind import why_no_docker
from boardroom.simulator.model_server.signature import signature
from e2e.board_on_pods import MODEL, BoardOnPods, board, member, namespace
from tools.programs import tool
from tools.s3 import BUCKET, KEYS, ROOT_KEYS, command, owned_bucket
from tools.waiting import until

pytestmark = pytest.mark.e2e

PORT = 7070


@dataclass
class Fetching:
    """A board whose CEO is fetched, and the bucket."""

    board: BoardOnPods
    directory: Path

    def put(self, version: str) -> str:
        """Put an adapter of its own into the bucket; returns its digest."""
        adapter = self.directory / version
        make_one(adapter, f"CEO of {version}", Shape(base_model=MODEL))
        with self.board.kubectl.port_forward("pod/s3", PORT) as url, owned_bucket(url) as bucket:
            bucket.put(adapter, f"ceo/{version}")
        digest = read(adapter).digest
        assert digest is not None
        return digest

    def name(self, version: str) -> None:
        """Have the member speak through it."""
        source = {
            "bucket": BUCKET,
            "prefix": f"ceo/{version}",
            "endpoint": f"http://s3.{self.board.namespace}.svc:{PORT}",
        }
        self.board.apply(member(self.board, "CEO", adapter={"s3": source}))

    def spoke(self) -> str:
        """The digest that the answer names, checked by the signature that only those weights have."""
        (answer,) = self.board.ask().raise_for_status().json()["answers"]
        adapter = answer["adapter"]
        assert adapter["path"] == f"/adapters/{adapter['digest'].replace(':', '-')}"
        assert signature(self.board.salt, MODEL, adapter["path"], adapter["digest"]) in answer["text"]
        return str(adapter["digest"])

    def ready(self) -> tuple[str, str]:
        condition = self.board.condition("AdapterReady", "boardagent", "ceo")
        return condition["status"], condition["reason"]


@pytest.fixture(scope="module")
def fetching(operator: BoardOnPods, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetching]:
    if why_no_docker() is None:
        pytest.skip("the S3 server runs from this machine's own build, which kind's node does not have")
    with namespace(operator, "fetching", pod_security="privileged") as made:  # the server's program is the machine's
        made.apply(*s3_objects("fetching"))
        made.kubectl.run("wait", "pod/s3", "--for=condition=Ready", "--timeout=60s")
        spec = board(made)
        spec["spec"]["adapters"] = {"credentialsSecretRef": {"name": "s3-keys"}}
        made.apply(spec)
        yield Fetching(made, tmp_path_factory.mktemp("fetching"))


def s3_objects(place: str) -> list[dict[str, Any]]:
    """versitygw as a pod, by this machine's own build of it."""
    metadata = {"name": "s3", "namespace": place, "labels": {"app": "s3"}}
    container = {
        "name": "s3",
        "image": "localhost/boardroom-operator:dev",
        "imagePullPolicy": "Never",
        "command": command("/machine/versitygw", f":{PORT}", "/data"),
        "env": [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "s3-keys", "key": key}}}
            for name, key in ROOT_KEYS.items()
        ],
        "securityContext": {"runAsUser": 0},
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "program", "mountPath": "/machine", "readOnly": True},
            {"name": "data", "mountPath": "/data"},
        ],
    }
    volumes = [
        {"name": "program", "hostPath": {"path": str(tool("versitygw").parent), "type": "Directory"}},
        {"name": "data", "emptyDir": {}},
    ]
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3-keys", "namespace": place}}
        | {"stringData": KEYS},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        | {"spec": {"containers": [container], "volumes": volumes}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
        | {"spec": {"selector": {"app": "s3"}, "ports": [{"port": PORT}]}},
    ]


def test_an_adapter_from_s3_speaks_and_so_does_its_successor_without_a_restart(fetching: Fetching) -> None:
    first = fetching.put("1")
    fetching.name("1")
    until("it is fetched and proved", lambda: fetching.ready() == ("True", "AdapterProved"), 180)
    assert fetching.spoke() == first
    found = fetching.board.get("boardagent", "ceo")["status"]["adapter"]
    assert (found["source"], found["digest"]) == ("S3", first)
    pod = fetching.board.lorax_pod()
    second = fetching.put("2")
    fetching.name("2")
    until("its successor speaks", lambda: fetching.spoke() == second)
    assert fetching.board.lorax_pod() == pod


def test_where_the_next_one_is_not_there_the_one_before_goes_on(fetching: Fetching) -> None:
    before = fetching.spoke()
    fetching.name("3")
    until("it is missed", lambda: fetching.ready() == ("True", "PreviousVersion"))
    assert fetching.spoke() == before
    third = fetching.put("3")
    until("it speaks once it is there", lambda: fetching.spoke() == third, 180)
