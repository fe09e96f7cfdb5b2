"""Answers, boards and errors as text for people. Pure."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import yaml

from boardroom.api.ask import AskResponse, Batch, Decision, ErrorDetail, MemberAnswer

WIDTH = 110
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """The text without control characters, which could overwrite other lines on a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def data(value: Any, form: str) -> str:
    """A value as JSON or YAML."""
    if form == "yaml":
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=WIDTH)
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


class Lines:
    """Parallel answers as whole lines, each after its member's name."""

    def __init__(self) -> None:
        self._begun: dict[str, str] = {}

    def take(self, name: str, data: dict[str, Any]) -> str:
        """The output of one event of a stream; may be empty."""
        return plain(self._take(name, data))

    def _take(self, name: str, data: dict[str, Any]) -> str:
        agent = data.get("agent", "")
        if name == "member.restarted":
            self._begun[agent] = ""
            return f"{agent}: (asked again: {data['reason']})\n"
        if name == "member.delta":
            whole, _, rest = (self._begun.get(agent, "") + data["text"]).rpartition("\n")
            if len(rest) > WIDTH:
                cut = rest.rfind(" ", 0, WIDTH) + 1 or WIDTH
                whole, rest = f"{whole}\n{rest[:cut]}" if whole else rest[:cut], rest[cut:]
            self._begun[agent] = rest
            return "".join(f"{agent}: {line}\n" for line in whole.splitlines() if line.strip())
        if name == "member.done":
            rest = self._begun.pop(agent, "")
            last = f"{agent}: {rest}\n" if rest.strip() else ""
            missing = data["status"] != "answered"
            return last + (f"{agent}: no answer: {data['reason']}\n" if missing else "")
        return ""


def answer(board: str, response: AskResponse) -> str:
    """A board's answer: the summary, then each member's answer under its role."""
    lines = [summary(board, response)]
    for member in response.answers:
        lines += ["", _heading(member), *_wrapped(member.text or f"no answer: {member.reason}")]
    return plain("\n".join(lines) + "\n")


def summary(board: str, response: AskResponse) -> str:
    """The figures, the decision and the warnings of an answer."""
    answered = len(response.agents_involved)
    lines = [
        (
            f"{board}: {answered} of {len(response.answers)} members answered · mode {response.coordination_mode}"
            f" · used_lorax {str(response.used_lorax).lower()} · execution_time {response.execution_time:.2f} s"
        ),
        *_batches(response),
        *([f"chair: {response.chair}, whose answer is the board's"] if response.chair else []),
        *(_decision(response.decision) if response.decision else []),
        *(f"warning: {warning}" for warning in response.warnings),
    ]
    return plain("\n".join(lines))


def error(detail: ErrorDetail) -> str:
    """An error of the coordinator, with each member's reason once."""
    field = f" (field {detail.field})" if detail.field else ""
    lines = [f"{detail.code}: {detail.message}{field}"]
    reasons = [f"{m.role} ({m.agent}): {m.reason}" for m in detail.members or ()]
    lines += [f"  {reason}" for reason in reasons if reason not in detail.message]
    return plain("\n".join(lines))


def board(resource: dict[str, Any], members: Iterable[dict[str, Any]]) -> str:
    """A Boardroom object and its BoardAgents."""
    status = resource.get("status", {})
    rows = [
        (c["type"], c["status"], c["reason"], c["message"])
        for c in sorted(status.get("conditions", ()), key=lambda c: c["type"] != "Ready")
    ]
    agents_ = [
        (
            m["metadata"]["name"],
            m["spec"]["role"],
            *_condition(m, "Ready"),
            (m.get("status", {}).get("adapter") or {}).get("digest", "")[:19],
        )
        for m in members
    ]
    lorax_ = status.get("lorax", {})
    return "\n".join(
        [
            (
                f"Boardroom {resource['metadata']['namespace']}/{resource['metadata']['name']}"
                f" · model {resource['spec']['model']['id']} · agents {status.get('agents', '-')}"
                f" · {status.get('endpoint', '')}"
            ),
            "",
            table(("CONDITION", "STATUS", "REASON", "MESSAGE"), rows),
            "",
            table(("AGENT", "ROLE", "READY", "REASON", "ADAPTER"), agents_),
            "",
            "LoRAX",
            textwrap.indent(yaml.safe_dump(lorax_, sort_keys=False) if lorax_ else "(not observed)\n", "  "),
        ]
    )


def agents(body: dict[str, Any]) -> str:
    """GET /v1/agents: the members, and the refused BoardAgents with their reasons."""
    rows = [
        (m["agent"], m["role"], ",".join(m["domains"]), m["ready"], m["reason"], (m["adapter"] or {}).get("path", ""))
        for m in body["agents"]
    ]
    shown = table(("AGENT", "ROLE", "DOMAINS", "READY", "REASON", "ADAPTER"), rows)
    refused = table(("REFUSED", "ROLE", "REASON", "MESSAGE"), [
        (m["agent"], m["role"], m["reason"], m["message"]) for m in body["refused"]
    ])  # fmt: skip
    return shown + (f"\n\n{refused}\n" if body["refused"] else "\n")


def health(body: dict[str, Any], members: dict[str, Any]) -> str:
    """GET /v1/health and /v1/agents of a board that runs without a cluster."""
    heading = f"Boardroom {body['board']} · {_readiness(body)}"
    lorax_ = yaml.safe_dump(body["system_health"]["lorax"], sort_keys=False)
    return f"{heading}\n\n{agents(members)}\nLoRAX\n{textwrap.indent(lorax_, '  ')}"


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as kubectl prints them."""
    cells = [tuple(headings), *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    return plain(
        "\n".join(
            "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
        )
    )


def _readiness(body: dict[str, Any]) -> str:
    return "ready" if body["ready"] else f"not ready: {body['reason'] or 'its adapters are not ready yet'}"


def _batches(response: AskResponse) -> list[str]:
    batches: list[Batch] = response.batches or ([response.batch] if response.batch else [])
    if not batches:
        return ["batch: none (fewer than two members were submitted together)"]
    return [f"batch: {b.size} members in one LoRAX batch, {b.wall_ms:.0f} ms, slowest {b.slowest}" for b in batches]


def _decision(decision: Decision) -> list[str]:
    count, quorum = decision.weights, decision.quorum
    counted = f"support {count.support}, oppose {count.oppose}, abstain {count.abstain}"
    met = "met" if quorum.met else "not met"
    lines = [f"decision: {decision.verdict} · {counted} · quorum {quorum.needed} {met} with {quorum.present}"]
    lines += [f"vetoed by: {', '.join(decision.vetoes)}"] if decision.vetoes else []
    return lines + ([f"dissent: {', '.join(decision.dissent)}"] if decision.dissent else [])


def _heading(member: MemberAnswer) -> str:
    facts: list[str] = [member.status]
    if member.engine:
        facts.append(f"engine {member.engine}")
    if member.adapter:
        facts.append(f"{member.adapter.path} {(member.adapter.digest or '')[:19]}".rstrip())
    if member.usage:
        facts.append(f"{member.usage.completion_tokens} tokens")
    if member.latency_ms is not None:
        facts.append(f"{member.latency_ms:.0f} ms" + (" with a cold load" if member.cold_load else ""))
    return f"{member.role} ({member.agent}) · " + " · ".join(facts)


def _wrapped(text: str) -> list[str]:
    wrapped = (textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="  ") for line in text.split("\n"))
    return [line for lines in wrapped for line in lines or [""]]


def _condition(resource: dict[str, Any], type_: str) -> tuple[str, str]:
    for condition in resource.get("status", {}).get("conditions", ()):
        if condition["type"] == type_:
            return condition["status"], condition["reason"]
    return "Unknown", "NotObserved"
