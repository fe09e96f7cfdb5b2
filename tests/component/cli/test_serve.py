"""`boardroom serve` with real processes: the YAML of a cluster, without any cluster."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import yaml

from boardroom.adapters.synthetic import Shape, make
from tools.waiting import until

ROOT = Path(__file__).parents[3]
BOARDROOM = str(Path(sys.executable).parent / "boardroom")
EXAMPLE = "manifests/examples/executive-board.yaml"
TWO_GPUS = """
apiVersion: boardroom.dev/v1alpha1
kind: Boardroom
metadata: {name: large}
spec: {model: {id: mistralai/Mistral-7B-Instruct-v0.1}, lorax: {gpu: {count: 2}}}
---
apiVersion: boardroom.dev/v1alpha1
kind: BoardAgent
metadata: {name: ceo}
spec: {boardroomRef: {name: large}, role: CEO}
"""


def serve(
    *args: str, file: str | Path = EXAMPLE, given: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [BOARDROOM, "serve", "-f", str(file), "--port", "0", *args]
    env = {name: value for name, value in os.environ.items() if name != "BOARDROOM_URL"} | environment
    return subprocess.run(
        command, cwd=ROOT, env=env, input=given, text=True, capture_output=True, timeout=90, check=False
    )


def test_one_question_gets_five_attributed_answers_in_one_batch() -> None:
    served = serve("--", BOARDROOM, "ask", "executive", "What now?", "--max-new-tokens", "16", "-o", "json")
    assert served.returncode == 0, served.stderr
    assert "no GPU here: simulated LoRAX" in served.stderr
    answer = orjson.loads(served.stdout)
    assert {a["role"]: Path(a["adapter"]["path"]).name for a in answer["answers"]} == {
        role: f"{role.lower()}_lora_adapter" for role in ("CEO", "CFO", "COO", "CMO", "CTO")
    }
    assert (answer["used_lorax"], answer["batch"]["size"]) == (True, 5)


def test_preloaded_adapters_are_loaded_from_the_start(tmp_path: Path) -> None:
    """And a member of the file whose adapter is not there keeps nobody from speaking."""
    board = (
        "apiVersion: boardroom.dev/v1alpha1\nkind: Boardroom\nmetadata: {name: b}\nspec:\n"
        "  model: {id: mistralai/Mistral-7B-Instruct-v0.1}\n  lorax: {adapterPolicy: Preloaded}\n"
        "  adapters: {volume: {persistentVolumeClaim: {claimName: a}}}\n"
    )
    agents = "".join(
        f"---\napiVersion: boardroom.dev/v1alpha1\nkind: BoardAgent\nmetadata: {{name: {name}}}\n"
        f"spec: {{boardroomRef: {{name: b}}, role: {name}}}\n"
        for name in ("ceo", "cfo", "clo")
    )
    (tmp_path / "board.yaml").write_text(board + agents)
    make(tmp_path / "models", ["ceo", "cfo"], Shape())
    words = ["ask", "b", "What now?", "--max-new-tokens", "8", "-o", "json"]
    models = os.path.relpath(tmp_path / "models", ROOT)  # LoRAX knows an adapter by its whole path
    served = serve("--adapters", models, "--", BOARDROOM, *words, file=tmp_path / "board.yaml")
    assert served.returncode == 0, served.stderr
    answers = {a["agent"]: a["status"] for a in orjson.loads(served.stdout)["answers"]}
    assert answers == {"ceo": "answered", "cfo": "answered", "clo": "absent"}


def test_the_adapters_that_are_made_are_of_a_rank_that_the_boards_gpus_take(tmp_path: Path) -> None:
    several = tmp_path / "board.yaml"
    several.write_text(TWO_GPUS)
    served = serve("--", BOARDROOM, "ask", "large", "What now?", "--max-new-tokens", "8", "-o", "json", file=several)
    assert served.returncode == 0, served.stderr
    assert [a["status"] for a in orjson.loads(served.stdout)["answers"]] == ["answered"]


def test_status_and_agents_show_the_board() -> None:
    served = serve("--", "sh", "-c", f"{BOARDROOM} status executive && {BOARDROOM} agents executive")
    assert served.returncode == 0, served.stderr
    assert "Boardroom executive" in served.stdout
    assert "total_adapters: 5" in served.stdout
    assert served.stdout.count("/cto_lora_adapter") == 2


def test_nothing_is_told_under_another_boards_name() -> None:
    commands = [f"{BOARDROOM} ask exec 'What now?'", f"{BOARDROOM} agents exec", f"{BOARDROOM} status exec"]
    served = serve("--", "sh", "-c", "; ".join(commands))
    said = [line for line in served.stderr.splitlines() if line.startswith("Error: ")]
    assert (served.returncode, served.stdout, len(said)) == (1, "", 3), served.stderr
    assert all(line.endswith("serves the board executive, not exec") for line in said)


def test_the_commands_exit_code_is_passed_on() -> None:
    assert serve("--", "sh", "-c", "exit 7").returncode == 7


def test_an_unknown_member_is_said_with_those_that_exist() -> None:
    served = serve("--", BOARDROOM, "ask", "executive", "What now?", "--agents", "janitor")
    assert served.returncode == 1
    assert "janitor" in served.stderr
    assert "ceo (CEO)" in served.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "neither YAML nor JSON: line 2, column 1: ", id="broken YAML"),
        pytest.param("", "holds no Boardroom: give a file with one", id="no board"),
        pytest.param(
            "apiVersion: boardroom.dev/v1alpha1\nkind: Boardroom\nmetadata: {name: b}\nspec: {model: {id: 7}}\n",
            "Boardroom 'b': spec.model.id: give a text, not 7: write it in quotes",
            id="a wrong type",
        ),
    ],
)
def test_a_bad_file_is_refused_before_anything_starts(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "board.yaml"
    file.write_text(text)
    served = serve(file=file)
    assert served.returncode != 0
    assert message in served.stderr


def test_what_kubectl_gives_is_served_from_standard_input() -> None:
    """Two documents in a List, with what the API server adds to them; a member of no board here is named."""
    documents = [d for d in yaml.safe_load_all((ROOT / EXAMPLE).read_text()) if d]
    for number, document in enumerate(documents):
        document["metadata"] |= {"namespace": "boards", "uid": f"u{number}", "generation": 2, "resourceVersion": "7"}
        document["metadata"]["managedFields"] = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
        document["status"] = {"observedGeneration": 2}
    stranger = documents[-1] | {"metadata": {"name": "cio"}, "spec": {"boardroomRef": {"name": "exec"}, "role": "CIO"}}
    given = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [*documents, stranger]})
    served = serve("--", BOARDROOM, "agents", "executive", file="-", given=given)
    assert served.returncode == 0, served.stderr
    assert served.stdout.count("_lora_adapter") == 5
    assert (
        "cio will be absent: BoardroomNotFound: spec.boardroomRef.name: there is no Boardroom 'exec'" in served.stderr
    )


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_bytes(b"\xff\xfe")
    served = serve(file=tmp_path / "board.yaml")
    assert (served.returncode, "Traceback" in served.stderr, "decode" in served.stderr) == (1, False, True)


def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        served = serve("--port", str(other.getsockname()[1]))
    assert (served.returncode, "simulated" in served.stderr) == (2, False)
    assert "Address already in use; stop the program that listens there, or give another --port" in served.stderr


def test_members_whose_adapters_are_not_there_are_named(tmp_path: Path) -> None:
    make(tmp_path, ["ceo", "cfo", "cmo", "coo"], Shape())
    served = serve("--adapters", str(tmp_path), "--", "true")
    absent = [line for line in served.stderr.splitlines() if "will be absent" in line]
    assert (served.returncode, len(absent)) == (0, 1), served.stderr
    assert absent[0].startswith(f"cto will be absent: AdapterMissing: {tmp_path}/cto_lora_adapter")


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--prot", "9"], "No such option"), (["--", "no-such-program"], "no-such-program: no such program")],
)
def test_what_can_t_be_run_is_said_before_anything_starts(words: list[str], said: str) -> None:
    served = serve(*words)
    assert (served.returncode, said in served.stderr, "simulated" in served.stderr) == (2, True, False), served.stderr


def test_a_serve_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [BOARDROOM, "serve", "-f", EXAMPLE, "--port", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE) as serving:
        assert serving.stderr is not None
        while "boardroom ask" not in (line := serving.stderr.readline()):
            assert line, "it has ended before it served"
        children = Path(f"/proc/{serving.pid}/task/{serving.pid}/children").read_text().split()
        serving.kill()
    assert len(children) == 3
    until("they have ended", lambda: not any(_runs(pid) for pid in children), 30)


def _runs(pid: str) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_part_that_dies_ends_the_serving_and_is_named() -> None:
    command = [BOARDROOM, "serve", "-f", EXAMPLE, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE) as serving:
        assert serving.stderr is not None
        while "boardroom ask" not in (line := serving.stderr.readline()):
            assert line, "it has ended before it served"
        children = Path(f"/proc/{serving.pid}/task/{serving.pid}/children").read_text().split()
        (coordinator,) = (pid for pid in children if b"coordinator" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(int(coordinator), signal.SIGKILL)
        assert "boardroom coordinator ended with -9" in serving.communicate(timeout=60)[1]
    assert serving.returncode == 1


def naming(text: str) -> int:
    """How many processes have the text in their arguments; Linux keeps them in /proc."""
    found = 0
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            found += text.encode() in arguments.read_bytes()
    return found


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    """The children name the board's temporary directory in their arguments; neither they nor it outlive the command."""
    # By environment, so that neither the counter nor its parent names the directory itself.
    count = "import os, test_serve; print(test_serve.naming(os.environ['TMPDIR']))"
    here = Path(__file__)
    paths = os.pathsep.join([str(here.parent), str(here.parents[2])])
    served = serve("--", sys.executable, "-c", count, TMPDIR=str(tmp_path), PYTHONPATH=paths)
    assert int(served.stdout) == 2, served.stderr
    assert naming(str(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []


def test_pages_of_the_boards_origins_may_ask_from_a_browser(tmp_path: Path) -> None:
    page = "https://app.example.com"
    (tmp_path / "board.yaml").write_text(
        "apiVersion: boardroom.dev/v1alpha1\nkind: Boardroom\nmetadata: {name: b}\nspec:\n"
        "  model: {id: m}\n  enableLorax: false\n  standardInference: {url: 'http://127.0.0.1:9/v1', model: m}\n"
        f"  coordinator: {{cors: {{allowOrigins: ['{page}']}}}}\n"
    )
    wanted = {"origin": page, "access-control-request-method": "POST"}
    ask = f"import httpx, os; print(httpx.options(os.environ['BOARDROOM_URL'] + '/v1/ask', headers={wanted}).headers)"
    served = serve("--", sys.executable, "-c", ask, file=tmp_path / "board.yaml")
    assert f"'access-control-allow-origin': '{page}'" in served.stdout, served.stderr


def test_what_is_no_origin_is_named_with_its_remedy() -> None:
    command = [BOARDROOM, "coordinator", "--file", EXAMPLE, "--cors-origin", "http://a", "--cors-origin", "*"]
    found = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=90, check=False)
    assert found.returncode == 2
    assert "--cors-origin *: give an origin as browsers send it: scheme://host" in found.stderr
