"""Which cluster the commands choose, asked of programs that stand in for docker and kubectl."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.cluster import cluster
from boardroom.cluster import build, choice, existing
from boardroom.cluster.existing import ExistingCluster
from boardroom.cluster.kind import KindCluster, why_no_docker


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    no_docker(monkeypatch)
    return CliRunner()


def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_no_docker", lambda: "there is no `docker` on PATH")


def test_a_given_cluster_whose_login_waits_for_somebody_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kubeconfig").touch()
    waiting = tmp_path / "kubectl"
    waiting.write_text("#!/bin/sh\nexec sleep 60\n")
    waiting.chmod(0o755)
    monkeypatch.setattr(build, "program", lambda _: waiting)
    monkeypatch.setattr(existing, "_LOGIN_SECONDS", 0.2)
    [problem] = ExistingCluster(tmp_path / "kubeconfig").status().problems
    assert f"does the login of {tmp_path / 'kubeconfig'} wait for you?" in problem


@pytest.mark.parametrize(("answer", "expected"), [("echo 28.1", ""), ("echo 'no daemon' >&2; exit 1", "no daemon")])
def test_docker_is_asked_whether_it_answers(
    answer: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{answer}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert why_no_docker() == expected


def test_a_cluster_of_ours_that_is_there_is_not_forgotten_for_another(run: CliRunner, tmp_path: Path) -> None:
    ours = KindCluster()
    choice.remember(ours)
    ours.directory.mkdir(parents=True)
    (ours.directory / "kubeconfig").write_text("{}")
    (tmp_path / "other").write_text("{}")
    for words in (["--provider", "native"], ["--kubeconfig", str(tmp_path / "other")]):
        result = run.invoke(cluster, ["up", *words])
        assert (result.exit_code, "the kind cluster is there" in result.stderr) == (1, True), result.output
        assert "`boardroom cluster down` removes it" in result.stderr
    assert type(choice.current()) is KindCluster
