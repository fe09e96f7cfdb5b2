"""The commands where there is no cluster, and which cluster they choose."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.cluster import cluster
from boardroom.cluster import choice
from boardroom.cluster.given import GivenCluster
from boardroom.cluster.native import NativeNode
from boardroom.cluster.provider import ClusterError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return CliRunner()


def test_status_says_that_nothing_runs(run: CliRunner) -> None:
    result = run.invoke(cluster, ["status"])
    assert (result.exit_code, result.stdout) == (1, "native: not running\n")


@pytest.mark.parametrize("command", [["kubeconfig"], ["load", "pyproject.toml"]])
def test_what_needs_a_cluster_says_how_to_get_one(run: CliRunner, command: list[str]) -> None:
    result = run.invoke(cluster, command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "run `boardroom cluster up`" in result.stderr


def test_an_image_that_is_no_file_names_the_remedy(run: CliRunner) -> None:
    result = run.invoke(cluster, ["load", "alpine:3"])
    assert result.stderr == "Error: alpine:3 is not a file: save the image first (docker save -o image.tar alpine:3)\n"


def test_a_given_cluster_refuses_images_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="to a registry"):
        GivenCluster(tmp_path / "kubeconfig").load(["a.tar"])


@pytest.mark.parametrize(
    ("provider", "given", "expected"),
    [
        ("auto", None, NativeNode),
        ("native", None, NativeNode),
        ("auto", Path("k"), GivenCluster),
        ("kubeconfig", Path("k"), GivenCluster),
    ],
)
def test_a_provider_is_chosen_by(provider: str, given: Path | None, expected: type) -> None:
    assert type(choice.choose(provider, given)) is expected


@pytest.mark.parametrize(
    ("provider", "given", "problem"),
    [("kubeconfig", None, "needs --kubeconfig"), ("native", Path("k"), "leave --kubeconfig out")],
)
def test_a_contradiction_is_refused(provider: str, given: Path | None, problem: str) -> None:
    with pytest.raises(ClusterError, match=problem):
        choice.choose(provider, given)


def test_the_cluster_that_was_given_is_remembered(run: CliRunner, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    choice.remember(GivenCluster(kubeconfig))
    assert run.invoke(cluster, ["kubeconfig"]).stdout == f"{kubeconfig}\n"


def test_a_forgotten_cluster_leaves_the_native_node(run: CliRunner, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    choice.remember(GivenCluster(kubeconfig))
    choice.forget()
    assert run.invoke(cluster, ["status"]).stdout == "native: not running\n"
