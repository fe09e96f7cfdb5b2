"""kind, where Docker answers: brought up, given our image, and removed."""

from pathlib import Path

import pytest

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build
from boardroom.cluster.kind import KindCluster, why_no_docker

WHY = why_no_docker()


@pytest.mark.skipif(bool(WHY), reason=f"kind needs Docker: {WHY}")
def test_a_kind_cluster_advertises_gpus_takes_our_image_and_goes(tmp_path: Path) -> None:
    cluster = KindCluster(tmp_path)
    try:
        cluster.up(gpus=2)
        cluster.load([])
        seen = cluster.status()
        assert (seen.healthy, seen.gpus) == (True, 2)
        kubectl = Kubectl(program=str(build.program("kubectl")), kubeconfig=str(cluster.kubeconfig()))
        names = [name for image in kubectl.get("nodes")["items"][0]["status"]["images"] for name in image["names"]]
        assert "localhost/boardroom-operator:dev" in names
    finally:
        cluster.down()
    assert cluster.status().running is False
