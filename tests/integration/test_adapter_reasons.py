"""Each reason for which an adapter does not speak, made by what really causes it: the real sidecar finds it beside a
simulated LoRAX, a coordinator writes it, and it is read from BoardAgent.status on a real API server.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from boardroom.adapters.synthetic import Shape, make_one
from boardroom.cli.processes import free_port
from boardroom.cluster.controlplane import ControlPlane
from component.adapters.hub_server import REPO, Hub
from integration.boards import MODEL, Object, agent, board
from integration.kube_api import KubeApi
from integration.live_board import LiveBoard, running
from integration.operator_process import OperatorProcess
from integration.playing import play_kubelet
from tools.waiting import until

SHAPE = Shape(base_model=MODEL)


def volume(models: Path) -> None:
    """One adapter for each thing that can be wrong with files, and two with which nothing is."""
    make_one(models / "whole", "CEO", SHAPE)
    make_one(models / "unloadable", "CFO", SHAPE)
    make_one(models / "foreign", "COO", Shape(base_model="google/gemma-2b"))
    make_one(models / "ranked", "CMO", Shape(base_model=MODEL, rank=128))
    make_one(models / "dora", "CTO", SHAPE)
    config = models / "dora" / "adapter_config.json"
    config.write_bytes(orjson.dumps(orjson.loads(config.read_bytes()) | {"use_dora": True}))
    make_one(models / "embedding", "CHRO", SHAPE)
    weights = models / "embedding" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes().replace(b"q_proj", b"m_gate"))
    make_one(models / "large", "CIO", Shape(base_model=MODEL, layers=24, hidden=256))


def path(role: str, where: str) -> Object:
    return agent(role, adapter={"path": where})


def hub(role: str, endpoint: str) -> Object:
    return agent(role, adapter={"huggingFace": {"repo": REPO, "endpoint": endpoint}})


EXPECTED = {
    "ceo": ("True", "AdapterProved", "LoRAX answered through"),
    "cfo": ("False", "LoadFailed", "CUDA out of memory"),
    "coo": ("False", "BaseModelMismatch", "spec.adapters.baseModels"),
    "cmo": ("False", "RankTooHigh", "raise maxRank"),
    "cto": ("False", "UnsupportedFeature", "use_dora"),
    "chro": ("False", "UnsupportedFeature", "its weights change m_gate"),
    "cio": ("False", "TooLarge", "raise maxSize"),
    "cso": ("False", "AdapterMissing", "boardroom adapters push"),
    "cpo": ("False", "CredentialsMissing", "credentialsSecretRef"),
    "cro": ("False", "DownloadFailed", REPO),
}


@pytest.fixture
def standing(apiserver: ControlPlane, operator: OperatorProcess, kube: KubeApi, tmp_path: Path) -> Iterator[LiveBoard]:
    assert operator is not None
    models = tmp_path / "models"
    volume(models)
    kube.create(board(adapters={"mountPath": str(models), "maxSize": "100Ki"}))
    until("the coordinator's RoleBinding", lambda: kube.get("RoleBinding", "executive-coordinator"))
    play_kubelet(kube, "coordinator")
    with running(apiserver, kube, models, tmp_path) as found:
        yield found


@contextmanager
def private_hub(directory: Path) -> Iterator[str]:
    """A hub whose repository asks for a token that the board does not have."""
    make_one(directory, "CPO", SHAPE)
    config = uvicorn.Config(
        Hub.of(directory, token="only the test knows").app, port=free_port(), log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until("the hub listens", lambda: server.started)
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join()


def test_each_reason_stands_on_its_member_with_the_remedy(standing: LiveBoard, tmp_path: Path) -> None:
    fault = {"kind": "failing-adapter", "adapter": "*/unloadable", "message": "CUDA out of memory"}
    httpx.post(f"{standing.lorax_url}/simulator/faults", json=fault, trust_env=False).raise_for_status()
    with private_hub(tmp_path / "hub") as url:
        members = [
            path("CEO", "whole"),
            path("CFO", "unloadable"),
            path("COO", "foreign"),
            path("CMO", "ranked"),
            path("CTO", "dora"),
            path("CHRO", "embedding"),
            path("CIO", "large"),
            path("CSO", "nowhere"),
            hub("CPO", url),
            hub("CRO", f"http://127.0.0.1:{free_port()}"),
        ]
        for member in members:
            standing.kube.create(member)
        until("each has its reason", lambda: found(standing) == {n: e[:2] for n, e in EXPECTED.items()} or None, 120)
    for name, (*_, remedy) in EXPECTED.items():
        assert remedy in condition(standing, name)["message"]
    asked = standing.ask().json()
    assert {a["agent"] for a in asked["answers"] if a["status"] == "answered"} == {"ceo"}


def condition(standing: LiveBoard, name: str) -> dict[str, Any]:
    found: dict[str, Any] = standing.kube.condition("BoardAgent", name, "AdapterReady")
    return found


def found(standing: LiveBoard) -> dict[str, tuple[str, str]]:
    return {name: (condition(standing, name)["status"], condition(standing, name)["reason"]) for name in EXPECTED}
