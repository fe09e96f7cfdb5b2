"""Cluster access of the commands for people: through kubectl, so that every login that it knows works here too."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import click

from boardroom.cluster import build

REQUEST_SECONDS: Final = 10
"""For each request of kubectl; a command asks up to seven times before it gives up."""
ANSWER_SECONDS: Final = 60.0
"""For what the cluster answers at once, and a login that has to come before it."""
WAITING_SECONDS: Final = 300.0
"""For what waits for the cluster, such as `wait` and `delete`, which have a --timeout of their own."""

_BOARD: Final = "boardroom.boardroom.dev"
_SHOWN: Final = 8
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_NOISE = re.compile(r"^[IWEF]\d{4} \d\d:\d\d:\d\d.*\n?", re.MULTILINE)
"""What kubectl's libraries log of each attempt, before kubectl itself says in one line what is wrong."""
_REACH = (
    "see KUBECONFIG, --kubeconfig and --context; `boardroom cluster kubeconfig` prints the one of `boardroom cluster "
    "up`, and a board without a cluster has a --url"
)
_REMEDIES: Final = (
    (
        r"was refused|Unable to connect to the server|no such host|context was not found|^stat ",
        _REACH,
    ),
    (
        r"the server doesn't have a resource type \"board",
        "this cluster has no operator, or kubectl points to another cluster: see docs/getting-started/install.md",
    ),
    (
        r"\"[^\"]+-coordinator\" not found",
        "is that the board's name, and --namespace its namespace? `kubectl get boardrooms -A` lists all",
    ),
    (
        r"\(Forbidden\)",
        "ask for that right in the board's namespace (docs/reference/rights.md; to push: docs/how-to/adapters.md)",
    ),
    (r"You must be logged in|Unauthorized", "log in to the cluster as you do for kubectl, then try again"),
)


def _program() -> str:
    """The user's kubectl, or the one that `boardroom cluster` built."""
    return shutil.which("kubectl") or str(build.found("kubectl") or "kubectl")


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl with the flags of one call: which cluster, which namespace."""

    program: str = field(default_factory=_program)
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None

    @property
    def _command(self) -> list[str]:
        flags = {"--namespace": self.namespace, "--context": self.context, "--kubeconfig": self.kubeconfig}
        return [self.program, *(f"{flag}={value}" for flag, value in flags.items() if value)]

    def run(self, *args: str, stdin: str | None = None, seconds: float = WAITING_SECONDS) -> str:
        """Kubectl's standard output; its own words as a ClickException when it fails or takes longer than that."""
        try:
            done = subprocess.run(
                [*self._command, *args], input=stdin, capture_output=True, text=True, check=False, timeout=seconds
            )
        except FileNotFoundError as error:
            raise self._not_found() from error
        except subprocess.TimeoutExpired as error:
            raise click.ClickException(self._silence(f"kubectl {' '.join(args)}", seconds)) from error
        if done.returncode != 0:
            raise click.ClickException(_said(done.stderr) or f"kubectl {args[0]} failed with {done.returncode}")
        return done.stdout

    def at_once(self, *args: str, stdin: str | None = None) -> str:
        """As `run`, for what the API server answers at once: a watch would be cut off."""
        return self.run(*args, f"--request-timeout={REQUEST_SECONDS}s", stdin=stdin, seconds=ANSWER_SECONDS)

    def get(self, kind: str, name: str | None = None, *flags: str) -> dict[str, Any]:
        """One object, or a list of a kind."""
        words = ["get", kind, *([name] if name else []), *flags, "-o", "json"]
        found: dict[str, Any] = json.loads(self.at_once(*words))
        return found

    def board(self, name: str) -> dict[str, Any]:
        """A Boardroom; where there is none of that name, the exception says which there are."""
        try:
            return self.get(_BOARD, name)
        except click.ClickException as error:
            where = f"namespace {self.namespace}" if self.namespace else "the namespace of your kubeconfig"
            if f'"{name}" not found' in error.message:
                missing = f"there is no board {name} in {where}"
            elif 'namespaces "' in error.message and "not found" in error.message:
                missing = f"{where} is not there"
            else:
                raise
            raise click.ClickException(f"{missing}; {self._boards()}") from error

    def _boards(self) -> str:
        """Which boards there are, as far as the user may see."""
        for flags in (["--all-namespaces"], []):
            try:
                found = [item["metadata"] for item in self.get(_BOARD, None, *flags)["items"]]
            except click.ClickException:  # not everybody may list all namespaces
                continue
            # The namespace may be right, and the name not.
            found.sort(key=lambda item: item["namespace"] != self.namespace)
            shown = ", ".join(f"{item['name']} (-n {item['namespace']})" for item in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            if not found:
                return "there is none yet: docs/getting-started/install.md shows how to make one"
            return f"there is {shown}{more}"
        return "see --namespace"

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """The URL of a free local port that leads to `target`, for as long as the block runs."""
        try:
            process = subprocess.Popen(
                [*self._command, "port-forward", target, f":{port}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except FileNotFoundError as error:
            raise self._not_found() from error
        with process:
            # Ended where it says nothing: without a word there is nothing to read.
            patience = threading.Timer(ANSWER_SECONDS, process.terminate)
            patience.start()
            try:
                # kubectl writes this line once it listens, or closes the pipe when it gives up.
                line = process.stdout.readline() if process.stdout else ""
                patience.cancel()
                match = _FORWARDING.search(line)
                if match is None:
                    process.terminate()
                    words = _said(process.stderr.read()) if process.stderr else ""
                    silence = self._silence(f"kubectl port-forward {target}", ANSWER_SECONDS)
                    raise click.ClickException(words or silence)
                yield f"http://127.0.0.1:{match[1]}"
            finally:
                patience.cancel()
                process.terminate()

    def _silence(self, command: str, seconds: float) -> str:
        cluster = " ".join(self._command[1:]) or "the kubeconfig's current context"
        return (
            f"`{command}` did not end within {seconds:.0f} s: the API server of {cluster} does not answer, or a login "
            f"waits for you; try `kubectl version` with it, and {_REACH}"
        )

    def _not_found(self) -> click.ClickException:
        return click.ClickException(
            f"{self.program} not found: install kubectl (`boardroom cluster bin kubectl` builds one), or give --url of "
            "a coordinator"
        )


def _said(words: str) -> str:
    """What kubectl says, in its own words, and what to do about it where that is known."""
    own = (_NOISE.sub("", words).strip() or words.strip()).removeprefix("error: ")
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, own, re.MULTILINE)), "")
    return f"{own}; {remedy}" if remedy else own
