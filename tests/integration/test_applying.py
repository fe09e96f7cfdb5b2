"""Whatever text JSON can carry arrives as it is, though the API server reads what is applied as YAML."""

from boardroom.cluster.controlplane import ControlPlane
from boardroom.kube.client import KubeClient
from boardroom.kube.connection import Connection
from boardroom.kube.kinds import Kind
from integration.kube_api import KubeApi

CONFIG_MAP = Kind(group="", version="v1", name="ConfigMap", plural="configmaps")
TEXT = "".join(map(chr, [*range(0x2100), 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F600, 0x10FFFF])) + 'y: [no] # "0x1"'


async def test_any_text(apiserver: ControlPlane, kube: KubeApi) -> None:
    connection = await Connection.open(apiserver.kubeconfig)
    client = KubeClient(connection.configuration, "any-manager")
    metadata = {"name": "text", "namespace": kube.namespace}
    await client.apply(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"t": TEXT}})
    await client.close()
    await connection.close()
    assert kube.live("ConfigMap", "text")["data"] == {"t": TEXT}
