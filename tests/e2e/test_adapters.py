"""Day one on real pods: a board over an empty claim, adapters pushed into it by whom the documentation grants that."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom.adapters import read
from boardroom.adapters.synthetic import Shape, make, make_one
from boardroom.simulator.model_server.signature import signature
from e2e.board_on_pods import MODEL, ROOT, BoardOnPods, adapters_claim, board, member, namespace, run
from tools.waiting import until

pytestmark = pytest.mark.e2e

ROLES = ("CEO", "CFO")


@pytest.fixture(scope="module")
def empty(operator: BoardOnPods) -> Iterator[BoardOnPods]:
    """A board of two over a claim in which nothing lies."""
    with namespace(operator, "day-one") as made:
        made.apply(adapters_claim(ROLES)[0], board(made), *(member(made, role) for role in ROLES))
        yield made


@pytest.fixture(scope="module")
def pusher(empty: BoardOnPods, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kubeconfig of one who may do what docs/how-to/adapters.md says, and nothing else."""
    page = (ROOT / "docs/how-to/adapters.md").read_text(encoding="utf-8")
    role = next(yaml.safe_load(block.split("```")[0]) for block in page.split("```yaml\n") if "kind: Role\n" in block)
    names = {"name": "pusher", "namespace": empty.namespace}
    empty.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": names},
        role | {"metadata": names},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": names}
        | {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pusher"}}
        | {"subjects": [{"kind": "ServiceAccount", **names}]},
    )
    config = yaml.safe_load(Path(str(empty.kubectl.kubeconfig)).read_text(encoding="utf-8"))
    token = empty.kubectl.run("create", "token", "pusher").strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = tmp_path_factory.mktemp("pusher") / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


Push = Callable[..., tuple[int, str]]


@pytest.fixture
def push(empty: BoardOnPods, pusher: Path, boardroom: str) -> Push:
    def command(*words: str | Path) -> tuple[int, str]:
        where = ["-n", empty.namespace, "--kubeconfig", str(pusher)]
        done = run(boardroom, "adapters", "push", empty.name, *map(str, words), *where)
        return done.returncode, done.stdout + done.stderr

    return command


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    make(tmp_path / "adapters", ROLES, Shape(base_model=MODEL))
    return tmp_path / "adapters"


def spoke(board_: BoardOnPods) -> dict[str, dict[str, Any]]:
    answer = board_.ask().raise_for_status().json()
    for one in answer["answers"]:
        assert signature(board_.salt, MODEL, one["adapter"]["path"], one["adapter"]["digest"]) in one["text"]
    return {one["role"]: one["adapter"] for one in answer["answers"]}


def digests(board_: BoardOnPods) -> list[str | None]:
    return [one["adapter"]["digest"] for one in board_.ask().raise_for_status().json()["answers"]]


def test_a_push_fills_an_empty_volume_and_the_board_heals(empty: BoardOnPods, push: Push, adapters: Path) -> None:
    def missing() -> bool:
        conditions = [empty.condition("AdapterReady", "boardagent", role.lower()) for role in ROLES]
        return {condition["reason"] for condition in conditions} == {"AdapterMissing"}

    until("both say that their adapter is missing", missing)
    pod = empty.lorax_pod()
    code, words = push(adapters)
    assert (code, words.count("  written")) == (0, 2), words
    empty.wait_ready()
    empty.wait_members("2/2")
    # LoRAX may have loaded one before the sidecar looked: until it has, nobody can say what it was.
    until("each answer names its weights", lambda: None not in digests(empty))
    assert {role: adapter["digest"] for role, adapter in spoke(empty).items()} == {
        role: read(adapters / f"{role.lower()}_lora_adapter").digest for role in ROLES
    }
    assert empty.lorax_pod() == pod


def test_a_push_again_by_kubectls_plugin_sends_nothing(
    empty: BoardOnPods, pusher: Path, adapters: Path, boardroom: str
) -> None:
    where = ["-n", empty.namespace, "--kubeconfig", str(pusher)]
    env = os.environ | {"PATH": f"{Path(boardroom).parent}:{os.environ['PATH']}"}
    done = run(empty.kubectl.program, "boardroom", "adapters", "push", empty.name, str(adapters), *where, env=env)
    assert (done.returncode, done.stdout.count("  unchanged")) == (0, 2), done.stderr


def test_other_weights_under_the_same_name_are_refused_and_under_a_new_one_speak(
    empty: BoardOnPods, push: Push, tmp_path: Path
) -> None:
    make_one(tmp_path / "ceo_lora_adapter", "another CEO", Shape(base_model=MODEL))
    pod = empty.lorax_pod()
    code, words = push(tmp_path / "ceo_lora_adapter")
    assert (code, "NameTaken" in words) == (1, True), words
    code, words = push(tmp_path / "ceo_lora_adapter", "--name", "ceo/2")
    assert code == 0, words
    empty.apply(member(empty, "CEO", adapter={"path": "ceo/2"}))
    digest = read(tmp_path / "ceo_lora_adapter").digest
    until("the new weights speak", lambda: spoke(empty)["CEO"] == {"path": "/models/ceo/2", "digest": digest})
    assert empty.lorax_pod() == pod


def test_a_loader_that_can_t_start_is_said_with_the_clusters_words_and_goes(
    empty: BoardOnPods, boardroom: str, adapters: Path
) -> None:
    """A board of the same namespace whose claim is not there."""
    other = BoardOnPods(empty.kubectl, name="claimless")
    spec = board(other)
    spec["spec"]["adapters"]["volume"]["persistentVolumeClaim"]["claimName"] = "nowhere"
    other.apply(spec)
    until("its coordinator is made", lambda: "deployment.apps/claimless-coordinator" in other.names("deployments"))
    where = ["-n", empty.namespace, "--kubeconfig", str(empty.kubectl.kubeconfig)]
    done = run(boardroom, "adapters", "push", "claimless", str(adapters), "--timeout", "10", *where)
    other.kubectl.run("delete", "boardroom", "claimless")
    assert (done.returncode, 'persistentvolumeclaim "nowhere" not found' in done.stderr) == (1, True), done.stderr
    until("its Job is gone", lambda: not [n for n in other.names("jobs") if "claimless" in n])
