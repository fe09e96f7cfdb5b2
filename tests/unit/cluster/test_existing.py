"""A cluster that exists already."""

from pathlib import Path

import pytest

from boardroom.cluster.existing import ExistingCluster
from boardroom.cluster.provider import ClusterError


def test_a_given_cluster_refuses_images_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="to a registry"):
        ExistingCluster(tmp_path / "kubeconfig").load(["a.tar"])
