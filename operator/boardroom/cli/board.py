"""`boardroom ask`, `status` and `agents`: use a board, in a cluster or standalone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import httpx

from boardroom.api.ask import AskRequest, AskResponse, CoordinationMode, ErrorDetail, ErrorResponse
from boardroom.cli import render
from boardroom.cli.target import Target, target_options
from boardroom.client.errors import BoardroomError
from boardroom.client.events import read

_QUOTED = 200
_output = click.option(
    "-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text", help="Output format."
)


@click.command()
@click.argument("board")
@click.argument("question")
@click.option("--agents", help="Names or roles of the members to ask, separated by commas. Unset: all.")
@click.option("--agent-id", help="The primary member, asked first, with the members of --domain.")
@click.option("--domain", help="Ask the members of this domain.")
@click.option("--mode", type=click.Choice([m.value for m in CoordinationMode]), help="How the members answer.")
@click.option("--rounds", type=int, help="collaborative: most rounds.")
@click.option(
    "--on-error",
    type=click.Choice(["skip", "fail"]),
    help="skip: continue without a member that fails. fail: fail the question.",
)
@click.option("--max-concurrent", type=int, help="Most members in one batch.")
@click.option("--conv-id", help="Conversation id. Members continue from their earlier answers in it.")
@click.option("--lorax/--no-lorax", "use_lorax", default=True, help="Ask LoRAX, or standard inference.")
@click.option("--max-new-tokens", type=int, help="Longest answer in tokens.")
@click.option("--temperature", type=float, help="Sampling temperature. 0 is greedy.")
@click.option("--seed", type=int, help="Seed of the sampling.")
@click.option("--timeout", type=float, help="Deadline of the question in seconds.")
@click.option("--min-successful", type=int, help="Fewest answers. With fewer the question fails.")
@click.option(
    "--stream", is_flag=True, help="Print the answers as they are generated, each line after its member's name."
)
@_output
@target_options
def ask(
    *,
    board: str,
    question: str,
    agents: str | None,
    mode: str | None,
    stream: bool,
    output: str,
    target: Target,
    **rest: Any,
) -> None:
    """Ask BOARD the QUESTION and print each member's answer.

    Exit status 1 if the board could not answer. Standard error has the reasons.
    """
    body = _body(question, agents, mode, rest)
    if stream:
        _stream(board, body, target)
        return
    with target.coordinator(board) as client:
        response = client.post("/v1/ask", json=body)
    if response.is_error:
        raise click.ClickException(_error(response))
    with _parsing(response):
        text = render.data(response.json(), output) if output != "text" else _answer(board, response)
    click.echo(text, nl=False)


def _answer(board: str, response: httpx.Response) -> str:
    return render.answer(board, AskResponse.model_validate_json(response.content))


def _stream(board: str, body: dict[str, Any], target: Target) -> None:
    """Print whole lines as they arrive, so that parallel answers do not mix, then the summary."""
    lines = render.Lines()
    with target.coordinator(board) as client, client.stream("POST", "/v1/ask", json=body | {"stream": True}) as answer:
        if answer.is_error:
            answer.read()
            raise click.ClickException(_error(answer))
        try:
            for event in read(answer):
                click.echo(lines.take(event.name, event.data), nl=False)
                if event.answer is not None:
                    click.echo(render.summary(board, event.answer))
        except BoardroomError as error:
            detail = ErrorDetail(code=error.code, message=str(error), members=list(error.members))
            raise click.ClickException(render.error(detail)) from error


@click.command(short_help="Show a board, its members and LoRAX.")
@click.argument("board")
@_output
@target_options
def status(board: str, output: str, target: Target) -> None:
    """Show BOARD: its conditions, its members and the health of LoRAX."""
    if target.url:
        with target.coordinator(board) as client:
            health, members = _get(client, "/v1/health"), _get(client, "/v1/agents")
        text = render.health(health, members)
        document = {"health": health, "agents": members}
    else:
        document = target.kubectl.board(board)
        members = target.kubectl.get(
            "boardagents.boardroom.dev", None, f"--field-selector=spec.boardroomRef.name={board}"
        )
        text = render.board(document, members["items"])
    click.echo(text if output == "text" else render.data(document, output), nl=False)


@click.command()
@click.argument("board")
@_output
@target_options
def agents(board: str, output: str, target: Target) -> None:
    """List the members of BOARD, and the BoardAgents that it refused."""
    with target.coordinator(board) as client:
        body = _get(client, "/v1/agents")
    click.echo(render.agents(body) if output == "text" else render.data(body, output), nl=False)


def _body(question: str, agents: str | None, mode: str | None, rest: dict[str, Any]) -> dict[str, Any]:
    parameters = {name: rest.pop(name) for name in ("max_new_tokens", "temperature", "seed")}
    fields: dict[str, Any] = {
        "user_input": question,
        "agents": [name.strip() for name in agents.split(",")] if agents else None,
        "coordination_mode": mode,
        "parameters": {name: value for name, value in parameters.items() if value is not None} or None,
        **rest,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    unknown = body.keys() - AskRequest.model_fields.keys()
    if unknown:
        raise TypeError(f"not fields of a question: {sorted(unknown)}")
    return body


def _get(client: httpx.Client, path: str) -> dict[str, Any]:
    response = client.get(path)
    if response.is_error:
        raise click.ClickException(_error(response))
    with _parsing(response):
        body: dict[str, Any] = response.json()
    return body


@contextmanager
def _parsing(response: httpx.Response) -> Iterator[None]:
    """Report a body that does not parse: another server than a coordinator may answer with 200."""
    try:
        yield
    except ValueError as error:
        raise click.ClickException(_not_a_coordinator(response)) from error


def _error(response: httpx.Response) -> str:
    try:
        return render.error(ErrorResponse.model_validate_json(response.content).error)
    except ValueError:
        return _not_a_coordinator(response)


def _not_a_coordinator(response: httpx.Response) -> str:
    text = " ".join(render.plain(response.text[:_QUOTED]).split())
    return (
        f"{response.url} is not a coordinator: check --url (BOARDROOM_URL). It answered HTTP {response.status_code}: "
        f"{text or 'an empty body'}"
    )
