"""Whatever text JSON can carry arrives as it is, though the API server reads what is applied as YAML."""

from collections.abc import Awaitable, Callable

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from boardroom.cluster.controlplane import ControlPlane
from boardroom.kube import coordinator_client as coordinators
from boardroom.kube.client import KubeClient
from boardroom.kube.connection import Connection
from boardroom.kube.kinds import Kind
from integration.kube_api import KubeApi, Object

CONFIG_MAP = Kind(group="", version="v1", name="ConfigMap", plural="configmaps")
TEXT = "".join(map(chr, [*range(0x2100), 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F600, 0x10FFFF])) + 'y: [no] # "0x1"'


async def by_operator(configuration: Configuration, manifest: Object) -> None:
    client = KubeClient(configuration)
    await client.apply(CONFIG_MAP, manifest)
    await client.close()


async def by_coordinator(configuration: Configuration, manifest: Object) -> None:
    client = coordinators.KubeClient(ApiClient(configuration))
    await client.apply(CONFIG_MAP.path(manifest["metadata"]["namespace"], "text"), manifest)
    await client.close()


@pytest.mark.parametrize("write", [by_operator, by_coordinator])
async def test_any_text(
    apiserver: ControlPlane, kube: KubeApi, write: Callable[[Configuration, Object], Awaitable[None]]
) -> None:
    connection = await Connection.open(apiserver.kubeconfig)
    metadata = {"name": "text", "namespace": kube.namespace}
    await write(
        connection.configuration, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"t": TEXT}}
    )
    await connection.close()
    assert kube.live("ConfigMap", "text")["data"] == {"t": TEXT}
