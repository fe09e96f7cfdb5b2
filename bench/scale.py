"""The operator over many boards, on a real API server with nodes that kwok plays: what it costs, and how soon it acts.

In order: the boards exist before the operator does (cold), everything comes up, one more board, a member's prompt
changed, the operator started again over all of it (restart), and nothing happens (steady).
"""

import asyncio
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from bench import ROOT
from bench.api_server import ApiServer, Key, Object, Watch
from bench.kwok import nodes, playing_kubelet
from bench.operator_run import Operator, bytecode, compiled
from bench.services import cores, program, running
from boardroom.api.generate.crds import crds
from boardroom.api.meta import BOARD_LABEL
from boardroom.cli.processes import free_port
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity

SIZES = (100, 1000)
AGENTS = 10
PER_NAMESPACE = 25
CHANGES = 20
STEADY_SECONDS = 60.0
RESYNC_SECONDS = 20.0
"""Of the operator that is started again, so that a steady minute holds three looks at everything."""
MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
_OURS: Final = "/apis/boardroom.dev/v1alpha1"
_DEPLOYMENTS: Final = "/apis/apps/v1"
_OPERATOR: Final = Identity(
    name="operator",
    common_name="system:serviceaccount:boardroom-system:boardroom-operator",
    organization="system:serviceaccounts",
)


def measure(sizes: Sequence[int] = SIZES, changes: int = CHANGES, steady: float = STEADY_SECONDS) -> dict[str, Any]:
    """One row for each number of boards, each on a cluster of its own."""
    return {"agents_per_board": AGENTS, "rows": [_row(size, changes, steady) for size in sizes]}


def _row(boards: int, changes: int, steady: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            ControlPlane(folder / "cluster", controller_manager=True, scheduler=True) as control_plane,
            playing_kubelet(control_plane, folder / "kwok.log"),
        ):
            return asyncio.run(_told(control_plane, folder, boards, changes, steady))


async def _told(control_plane: ControlPlane, folder: Path, boards: int, changes: int, steady: float) -> dict[str, Any]:
    async with ApiServer(control_plane) as api:
        await _furnish(api, boards)
        async with (
            api.watching(f"{_DEPLOYMENTS}/deployments", BOARD_LABEL) as deployments,
            api.watching(f"{_OURS}/boardrooms") as rooms,
            api.watching(f"{_OURS}/boardagents") as agents,
        ):
            lab = _Lab(api, control_plane, folder, boards, deployments, rooms, agents)
            return await lab.story(changes, steady)


@dataclass(frozen=True)
class _Lab:
    api: ApiServer
    control_plane: ControlPlane
    folder: Path
    boards: int
    deployments: Watch
    rooms: Watch
    agents: Watch

    async def story(self, changes: int, steady: float) -> dict[str, Any]:
        """The row."""
        limit = 120.0 + 3.0 * self.boards
        row: dict[str, Any] = {"boards": self.boards, "agents": self.boards * AGENTS}
        await self.api.create_all(_boards(range(self.boards)))
        await asyncio.to_thread(compiled, self.folder)
        async with self._operator() as operator:
            began = operator.began
            present = await self.deployments.until(
                lambda: len(self.deployments.objects) == 2 * self.boards, "every board has its children", limit
            )
            row |= {"cold_children_s": present - began, "cold_children_cpu_s": operator.cpu_seconds}
            ready = await self.rooms.until(
                lambda: _all_have_status(self.rooms, self.boards), "every board has a status", limit
            )
            row |= {
                "cold_status_s": ready - began,
                "cold_cpu_s": operator.cpu_seconds,
                "cold_writes": operator.writes(),
            }
            await self._settled(operator, limit)
            row |= {"settled_cpu_s": operator.cpu_seconds, **operator.counts()}
            row |= {"peak_mib": operator.peak_mib, "settled_mib": operator.service.rss_mib()}
            row |= _quantiles("new_board_s", [await self._new_board(self.boards + n) for n in range(changes)])
            row |= _quantiles("agent_changed_s", [await self._agent_changed(n) for n in range(changes)])
        async with self._operator("--resync-seconds", f"{RESYNC_SECONDS:g}") as operator:
            row["restart_ready_s"] = operator.ready - operator.began
            await operator.looked(self.boards)
            row |= {"restart_cpu_s": operator.cpu_seconds, "restart_writes": operator.writes()}
            row["restart_peak_mib"] = operator.peak_mib
            row |= await self._steady(operator, steady)
        row["load"] = os.getloadavg()[2]
        return {key: round(value, 3) for key, value in row.items()}

    async def _settled(self, operator: Operator, seconds: float) -> None:
        """Nothing written for five seconds, and pods are up."""
        await self.deployments.until(
            lambda: sum(map(_available, self.deployments.objects.values())) == len(self.deployments.objects),
            "kwok's pods are up", seconds + 120,
        )  # fmt: skip
        async with asyncio.timeout(seconds):
            writes = -1.0
            while await asyncio.to_thread(operator.writes) != writes:
                writes = await asyncio.to_thread(operator.writes)
                await asyncio.sleep(5)

    async def _steady(self, operator: Operator, seconds: float) -> dict[str, float]:
        writes, spent = operator.writes(), operator.cpu_seconds
        await asyncio.sleep(seconds)
        return {
            "steady_seconds": seconds,
            "steady_writes": operator.writes() - writes,
            "steady_cpu_s": operator.cpu_seconds - spent,
        }

    async def _new_board(self, index: int) -> float:
        """Seconds from the board's creation to its last child."""
        objects = list(_boards(range(index, index + 1)))
        for path, obj in objects[1:]:
            await self.api.create(path, obj)
        began = asyncio.get_running_loop().time()
        await self.api.create(*objects[0])
        namespace, name = _key(index)
        children = [(namespace, f"{name}-{part}") for part in ("lorax", "coordinator")]
        watch = self.deployments
        await watch.until(lambda: all(key in watch.first for key in children), f"{name}'s children", 60)
        return max(watch.first[key] for key in children) - began

    async def _agent_changed(self, index: int) -> float:
        """Seconds from the change of a prompt to a status that has seen it."""
        namespace, name = _key(index % self.boards)
        key = (namespace, f"{name}-0")
        began = asyncio.get_running_loop().time()
        path = f"{_OURS}/namespaces/{namespace}/boardagents/{key[1]}"
        generation = (await self.api.merge(path, {"spec": {"systemPrompt": f"changed {index}"}}))["metadata"][
            "generation"
        ]

        def seen() -> bool:  # the controller's part of the status
            return bool(self.agents.objects[key].get("status", {}).get("observedGeneration", 0) >= generation)

        return await self.agents.until(seen, f"the status of {key[1]}", 60) - began

    @asynccontextmanager
    async def _operator(self, *flags: str) -> AsyncIterator[Operator]:
        """The real operator under the rights that manifests/base gives it, on a core of its own."""
        health, metrics = free_port(), free_port()
        command = [
            program("boardroom"), "operator", "--kubeconfig", str(self.control_plane.write_kubeconfig(_OPERATOR)),
            "--health-port", str(health), "--metrics-port", str(metrics), *flags,
        ]  # fmt: skip
        loop = asyncio.get_running_loop()
        began = loop.time()
        process = running(
            command, core=cores()[0], port=health, log=self.folder / "operator.log", ready="/readyz",
            environment=bytecode(self.folder) | {"BOARDROOM_IMAGE": "registry.example/boardroom-operator:1.2.3"},
        )  # fmt: skip
        service = await asyncio.to_thread(process.__enter__)
        try:
            yield Operator(service, f"http://127.0.0.1:{metrics}/metrics", began, loop.time())
        except TimeoutError as error:
            said = (self.folder / "operator.log").read_text(errors="replace")[-2000:]
            raise TimeoutError(
                f"{error or 'never quiet'}; load {os.getloadavg()[0]:.1f}; the operator said:\n{said}"
            ) from None
        finally:
            await asyncio.to_thread(process.__exit__, None, None, None)


async def _furnish(api: ApiServer, boards: int) -> None:
    """CRDs, the operator's rights, namespaces, nodes."""
    root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for crd in crds().values():
        await api.apply(f"{root}/{crd['metadata']['name']}", crd)
    await api.apply("/api/v1/namespaces/boardroom-system", _namespace("boardroom-system"))
    for obj in yaml.safe_load_all((ROOT / "manifests" / "base" / "rbac.yaml").read_text()):
        if obj["kind"] != "ServiceAccount":
            place = obj["metadata"].get("namespace")
            scope = f"namespaces/{place}/" if place else ""
            path = f"/apis/rbac.authorization.k8s.io/v1/{scope}{obj['kind'].lower()}s/{obj['metadata']['name']}"
            await api.apply(path, obj)
    namespaces = dict.fromkeys(_key(index)[0] for index in range(boards + CHANGES + 1))
    await api.create_all(("/api/v1/namespaces", _namespace(name)) for name in namespaces)
    await api.create_all(("/api/v1/nodes", node) for node in nodes(boards + CHANGES))
    await _until(lambda: api.answers(f"{_OURS}/boardagents"), "the CRDs are served")
    for name in namespaces:
        await _until(partial(api.answers, f"/api/v1/namespaces/{name}/serviceaccounts/default"), name)


async def _until(look: Callable[[], Any], what: str) -> None:
    for _ in range(600):
        if await look():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"not within a minute: {what}")


def _key(index: int) -> Key:
    return f"team-{index // PER_NAMESPACE}", f"board-{index}"


def _boards(indices: Sequence[int]) -> Iterator[tuple[str, Object]]:
    """Every board and its agents, each with the collection it belongs in."""
    head = {"apiVersion": "boardroom.dev/v1alpha1"}
    for index in indices:
        namespace, name = _key(index)
        root = f"{_OURS}/namespaces/{namespace}"
        spec: Object = {"model": {"id": MODEL}}
        yield f"{root}/boardrooms", head | {"kind": "Boardroom", "metadata": {"name": name}, "spec": spec}
        for number in range(AGENTS):
            spec = {
                "boardroomRef": {"name": name},
                "role": f"Role{number}",
                "systemPrompt": "You sit on the board. Speak for your role, in figures where you have them.",
            }
            agent = head | {"kind": "BoardAgent", "metadata": {"name": f"{name}-{number}"}, "spec": spec}
            yield f"{root}/boardagents", agent


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _all_have_status(rooms: Watch, boards: int) -> bool:
    reported = sum(
        obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]
        for obj in rooms.objects.values()
    )
    return reported == boards


def _available(deployment: Object) -> bool:
    return bool(deployment.get("status", {}).get("availableReplicas"))


def _quantiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}_p50": statistics.median(seconds),
        f"{name}_p95": statistics.quantiles(seconds, n=20, method="inclusive")[18],
    }
