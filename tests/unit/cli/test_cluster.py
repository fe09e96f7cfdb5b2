"""The commands where there is no cluster, and which cluster they choose."""

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.cluster import cluster
from boardroom.cluster import choice, host
from boardroom.cluster.existing import ExistingCluster
from boardroom.cluster.kind import KindCluster
from boardroom.cluster.native import NativeNode
from boardroom.cluster.provider import ClusterError, Provider
from boardroom.cluster.rest import RestError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    no_docker(monkeypatch)
    return CliRunner()


def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_no_docker", lambda: "there is no `docker` on PATH")


def test_status_says_that_nothing_runs(run: CliRunner) -> None:
    result = run.invoke(cluster, ["status"])
    assert (result.exit_code, result.stdout) == (1, "native: not running\n")


def test_what_a_machine_that_went_down_left_empty_is_no_traceback(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "boardroom" / "node").mkdir(parents=True)
    (tmp_path / "boardroom" / "cluster.json").touch()
    (tmp_path / "boardroom" / "node" / "node.json").touch()
    result = run.invoke(cluster, ["status"])
    assert result.stdout == (
        "native: not running\n- what a crash left is still there: `boardroom cluster down` removes it\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        RestError(409, "PATCH /api/v1/nodes/boardroom/status: 409"),
        OSError(errno.EROFS, "Read-only file system", "/proc/sys/net/ipv4/ip_forward"),
        TimeoutError("processes [7] are still there 20 s after SIGKILL"),
        subprocess.CalledProcessError(1, ["setsid"]),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_: NativeNode, *, gpus: int) -> None:
        raise error

    monkeypatch.setattr(NativeNode, "up", refuse)
    result = run.invoke(cluster, ["up"])
    assert (result.exit_code, result.stderr) == (1, f"Error: {error}\n")


def test_a_machine_without_a_free_network_is_told_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "require", lambda _: "ip")
    monkeypatch.setattr(host, "_run", lambda _: '[{"dst": "10.0.0.0/8"}]')
    with pytest.raises(host.HostError, match="see `ip route`"):
        host.free_addresses()


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
        ExistingCluster(tmp_path / "kubeconfig").load(["a.tar"])


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


def test_each_state_folder_has_a_kind_cluster_of_its_own(tmp_path: Path) -> None:
    names = {KindCluster(tmp_path / name).cluster for name in ("a", "b", "a")}
    assert len(names) == 2


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
