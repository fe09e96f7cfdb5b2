"""Which cluster is meant: by flags, by what was used last, by what the machine has."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.cluster import cluster
from boardroom.cluster import choice
from boardroom.cluster.existing import ExistingCluster
from boardroom.cluster.kind import KindCluster
from boardroom.cluster.native import NativeNode
from boardroom.cluster.provider import ClusterError, Provider


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    no_docker(monkeypatch)
    return CliRunner()


def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_no_docker", lambda: "there is no `docker` on PATH")


@pytest.mark.parametrize(
    ("provider", "kubeconfig", "expected"),
    [
        ("auto", None, NativeNode),
        ("native", None, NativeNode),
        ("kind", None, KindCluster),
        ("auto", Path("k"), ExistingCluster),
        ("kubeconfig", Path("k"), ExistingCluster),
    ],
)
def test_a_provider_is_chosen_by(
    provider: str, kubeconfig: Path | None, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_docker(monkeypatch)
    assert type(choice.choose(provider, kubeconfig)) is expected


@pytest.mark.parametrize(
    ("provider", "kubeconfig", "problem"),
    [
        ("kubeconfig", None, "needs --kubeconfig"),
        ("native", Path("k"), "leave --kubeconfig out"),
        ("kind", Path("k"), "leave --kubeconfig out"),
    ],
)
def test_a_contradiction_is_refused(provider: str, kubeconfig: Path | None, problem: str) -> None:
    with pytest.raises(ClusterError, match=problem):
        choice.choose(provider, kubeconfig)


def test_kind_is_chosen_where_docker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_no_docker", lambda: "")
    assert type(choice.choose("auto", None)) is KindCluster


def test_kind_without_docker_says_what_else_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError) as refused:
        KindCluster(tmp_path).up()
    assert str(refused.value) == (
        "kind needs Docker, and there is no `docker` on PATH; use --provider native (Linux, root) or --kubeconfig"
    )


def test_up_means_the_cluster_of_the_last_up(run: CliRunner, tmp_path: Path) -> None:
    given_cluster = ExistingCluster(tmp_path / "kubeconfig")
    choice.remember(given_cluster)
    again = choice.wanted("auto", None)
    assert isinstance(again, ExistingCluster)
    assert again.file == given_cluster.file


@pytest.mark.parametrize("left", [KindCluster, lambda: ExistingCluster(Path("/elsewhere"))])
def test_another_cluster_takes_the_place_of_one_that_is_gone_or_somebody_elses(
    run: CliRunner, left: Callable[[], Provider]
) -> None:
    choice.remember(left())
    assert type(choice.wanted("native", None)) is NativeNode


def test_the_provider_of_the_last_up_is_remembered(run: CliRunner) -> None:
    choice.remember(KindCluster())
    assert run.invoke(cluster, ["status"]).stdout == "kind: not running\n"


def test_the_cluster_that_was_given_is_remembered(run: CliRunner, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    choice.remember(ExistingCluster(kubeconfig))
    assert run.invoke(cluster, ["kubeconfig"]).stdout == f"{kubeconfig}\n"


def test_a_forgotten_cluster_leaves_the_native_node(run: CliRunner, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    choice.remember(ExistingCluster(kubeconfig))
    choice.forget()
    assert run.invoke(cluster, ["status"]).stdout == "native: not running\n"
