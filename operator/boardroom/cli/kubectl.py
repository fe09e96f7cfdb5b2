"""Cluster access of the user commands through kubectl, so that every login of kubectl works."""

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
"""Timeout of each request of kubectl. A command sends up to seven before it gives up."""
ANSWER_SECONDS: Final = 60.0
"""Timeout of a command that the API server answers at once, including a login."""
WAITING_SECONDS: Final = 300.0
"""Timeout of a command that waits, for example `wait` and `delete`, which have their own --timeout."""

_BOARD: Final = "boardroom.boardroom.dev"
_SHOWN: Final = 8
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_NOISE = re.compile(r"^[IWEF]\d{4} \d\d:\d\d:\d\d.*\n?", re.MULTILINE)
"""Log lines of kubectl's libraries, which precede kubectl's own error line."""
_REACH = (
    "check KUBECONFIG, --kubeconfig and --context; `boardroom cluster kubeconfig` prints the kubeconfig of `boardroom "
    "cluster up`; for a board without a cluster give --url"
)
_REMEDIES: Final = (
    (
        r"was refused|Unable to connect to the server|no such host|context was not found|^stat ",
        _REACH,
    ),
    (
        r"the server doesn't have a resource type \"board",
        "this cluster has no Boardroom operator, or kubectl uses another cluster: see docs/getting-started/install.md",
    ),
    (
        r"\"[^\"]+-coordinator\" not found",
        "check the board's name and --namespace: `kubectl get boardrooms -A` lists all",
    ),
    (
        r"\(Forbidden\)",
        "ask for that right in the board's namespace (docs/reference/rights.md; to push: docs/how-to/adapters.md)",
    ),
    (r"You must be logged in|Unauthorized", "log in to the cluster as you do for kubectl, then try again"),
)


def _program() -> str:
    """The user's kubectl, else the one that `boardroom cluster` built."""
    return shutil.which("kubectl") or str(build.found("kubectl") or "kubectl")


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl with the flags for cluster and namespace."""

    program: str = field(default_factory=_program)
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None

    @property
    def _command(self) -> list[str]:
        flags = {"--namespace": self.namespace, "--context": self.context, "--kubeconfig": self.kubeconfig}
        return [self.program, *(f"{flag}={value}" for flag, value in flags.items() if value)]

    def run(self, *args: str, stdin: str | None = None, seconds: float = WAITING_SECONDS) -> str:
        """The standard output of kubectl. Raises ClickException with its error, or after `seconds`."""
        try:
            done = subprocess.run(
                [*self._command, *args], input=stdin, capture_output=True, text=True, check=False, timeout=seconds
            )
        except FileNotFoundError as error:
            raise self._not_found() from error
        except subprocess.TimeoutExpired as error:
            raise click.ClickException(self._timed_out(f"kubectl {' '.join(args)}", seconds)) from error
        if done.returncode != 0:
            raise click.ClickException(_with_remedy(done.stderr) or f"kubectl {args[0]} failed with {done.returncode}")
        return done.stdout

    def at_once(self, *args: str, stdin: str | None = None) -> str:
        """Like `run`, with a short timeout, for requests that the API server answers at once."""
        return self.run(*args, f"--request-timeout={REQUEST_SECONDS}s", stdin=stdin, seconds=ANSWER_SECONDS)

    def get(self, kind: str, name: str | None = None, *flags: str) -> dict[str, Any]:
        """Return an object, or without `name` the list of all objects of the kind."""
        args = ["get", kind, *([name] if name else []), *flags, "-o", "json"]
        document: dict[str, Any] = json.loads(self.at_once(*args))
        return document

    def board(self, name: str) -> dict[str, Any]:
        """A Boardroom. Raises ClickException, which lists the existing boards if none has this name."""
        try:
            return self.get(_BOARD, name)
        except click.ClickException as error:
            where = f"namespace {self.namespace}" if self.namespace else "the namespace of your kubeconfig"
            if f'"{name}" not found' in error.message:
                missing = f"no board {name} in {where}"
            elif 'namespaces "' in error.message and "not found" in error.message:
                missing = f"{where} does not exist"
            else:
                raise
            raise click.ClickException(f"{missing}; {self._boards()}") from error

    def _boards(self) -> str:
        """The existing boards that the user may see, as text."""
        for flags in (["--all-namespaces"], []):
            try:
                boards = [item["metadata"] for item in self.get(_BOARD, None, *flags)["items"]]
            except click.ClickException:  # no right to list all namespaces
                continue
            # Boards of the same namespace first: perhaps only the name is wrong.
            boards.sort(key=lambda item: item["namespace"] != self.namespace)
            shown = ", ".join(f"{item['name']} (-n {item['namespace']})" for item in boards[:_SHOWN])
            more = f" and {len(boards) - _SHOWN} more" if len(boards) > _SHOWN else ""
            if not boards:
                return "the cluster has no board yet: see docs/getting-started/install.md"
            return f"existing boards: {shown}{more}"
        return "check --namespace"

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """The URL of a free local port that is forwarded to `target` inside the block."""
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
            # The timer ends a kubectl that prints nothing, which readline would wait for.
            watchdog = threading.Timer(ANSWER_SECONDS, process.terminate)
            watchdog.start()
            try:
                # kubectl prints this line once it listens, or closes the pipe when it gives up.
                line = process.stdout.readline() if process.stdout else ""
                watchdog.cancel()
                match = _FORWARDING.search(line)
                if match is None:
                    process.terminate()
                    failure = _with_remedy(process.stderr.read()) if process.stderr else ""
                    timeout = self._timed_out(f"kubectl port-forward {target}", ANSWER_SECONDS)
                    raise click.ClickException(failure or timeout)
                yield f"http://127.0.0.1:{match[1]}"
            finally:
                watchdog.cancel()
                process.terminate()

    def _timed_out(self, command: str, seconds: float) -> str:
        cluster = " ".join(self._command[1:]) or "the kubeconfig's current context"
        return (
            f"`{command}` did not end within {seconds:.0f} s: the API server of {cluster} does not answer, or a login "
            f"waits for input; try `kubectl version`, and {_REACH}"
        )

    def _not_found(self) -> click.ClickException:
        return click.ClickException(
            f"{self.program} not found: install kubectl (`boardroom cluster bin kubectl` builds one), or give a "
            "coordinator's --url"
        )


def _with_remedy(stderr: str) -> str:
    """Error text of kubectl, with the remedy if it is known."""
    message = (_NOISE.sub("", stderr).strip() or stderr.strip()).removeprefix("error: ")
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, message, re.MULTILINE)), "")
    return f"{message}; {remedy}" if remedy else message
