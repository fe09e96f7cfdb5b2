"""kind's clusters by their names."""

from pathlib import Path

from boardroom.cluster.kind import KindCluster


def test_each_state_folder_has_a_kind_cluster_of_its_own(tmp_path: Path) -> None:
    names = {KindCluster(tmp_path / name).cluster for name in ("a", "b", "a")}
    assert len(names) == 2
