"""Which version of each member's adapter speaks: the one in force goes on until the next has been proved.

LoRAX knows an adapter by its path only (LORAX.md, trap 4), and every version has a path of its own: fetched adapters
lie under the digest of their files, and those on the volume under the path that a spec names. A question takes the
roster as it is when it comes, so a switch falls between two questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from boardroom.adapters.compatibility import AdapterFiles, check, missing_directory
from boardroom.adapters.protocol import DesiredSource, DesiredSources
from boardroom.api.conditions import AgentCondition, find
from boardroom.coordinator.backends.adapter_state import DOWNLOADING, AdapterRegistry, AdapterState
from boardroom.coordinator.backends.sidecar import Report
from boardroom.coordinator.board.roster import VOLUME, Member, Roster

_NOT_ASKED: Final = AdapterFiles(
    problem=DOWNLOADING, message="the adapters service beside LoRAX has not said yet whether it has the adapter"
)


@dataclass(frozen=True)
class Version:
    """An adapter as LoRAX can load it."""

    path: str
    source: str = VOLUME
    revision: str | None = None
    proved: bool = False
    """Whether it has ever answered."""


@dataclass(frozen=True)
class _Target:
    """What a member's spec asks for: a version, or where there is none yet, why."""

    version: Version | None
    finding: AdapterFiles | None


@dataclass(frozen=True)
class BackendAdapters:
    """One LoRAX server: what its sidecar said last, and what is known of its adapters."""

    report: Report | None
    book: AdapterRegistry


class Versions:
    """Remembers what speaks for whom."""

    def __init__(self) -> None:
        self._speaking: dict[str, Version] = {}

    def resolve(self, roster: Roster, servers: Sequence[BackendAdapters]) -> Roster:
        """The roster with every member's adapter_id as LoRAX is to get it now."""
        members = tuple(self._member(member, roster, servers) for member in roster.members)
        uids = {_identity(member) for member in members}
        self._speaking = {uid: version for uid, version in self._speaking.items() if uid in uids}
        return replace(roster, members=members)

    def _member(self, member: Member, roster: Roster, servers: Sequence[BackendAdapters]) -> Member:
        uid = _identity(member)
        target = _best(member, roster, servers)
        if target is None:
            self._speaking.pop(uid, None)
            return member
        speaking = self._speaking.get(uid) or _seeded(member)
        if speaking is not None and any(s.book.proved(speaking.path) for s in servers):
            speaking = replace(speaking, proved=True)
        if speaking is None or _may_switch(speaking, target, servers, preloaded=roster.preloaded):
            return self._speaks(member, target)
        self._speaking[uid] = speaking
        awaited = target.version.path if target.version else None
        return _with(member, speaking, awaits=awaited, held_back=_why(member, target, servers))

    def _speaks(self, member: Member, target: _Target) -> Member:
        """The version that spec asks for; where there is none yet, an id that is never sent, and why."""
        uid = _identity(member)
        version = target.version
        if version is None:
            self._speaking.pop(uid, None)
            assert member.source is not None  # noqa: S101 (what lies on the volume has a path at once)
            return replace(member, adapter_id=member.source.key, origin=member.source.kind)
        self._speaking[uid] = replace(version, proved=version == self._speaking.get(uid) and version.proved)
        return _with(member, version)


def findings(roster: Roster, report: Report | None) -> dict[str, AdapterFiles]:
    """What one server's sidecar says of each adapter_id of a resolved roster; of a volume it may have said nothing."""
    known: dict[str, AdapterFiles] = {}
    for member in roster.members:
        target = _target(member, roster, report)
        if target is None or member.adapter_id is None:
            continue
        asked = member.awaits or (member.source.key if member.held_back and member.source else member.adapter_id)
        if member.held_back and (before := _known(member, roster, report)):
            known[member.adapter_id] = before
        if target.finding is not None:
            known[asked] = target.finding
    return known


def wanted(roster: Roster) -> DesiredSources:
    """What the sidecar is to have for a resolved roster."""
    sources = {m.source.key: m.source for m in roster.members if m.source}
    return DesiredSources(
        sources=tuple(DesiredSource.of(source) for _, source in sorted(sources.items())),
        keep=tuple(sorted({m.adapter_id for m in roster.members if m.adapter_id and m.held_back})),
        max_bytes=roster.rules.max_bytes,
    )


def _target(member: Member, roster: Roster, report: Report | None) -> _Target | None:
    if member.source is not None:
        return _fetched(member, roster, report)
    if member.adapter is None or member.adapter_id is None:
        return None
    finding = (
        check(report.volume.get(member.adapter) or missing_directory(member.adapter_id), roster.rules)
        if report
        else None
    )
    return _Target(Version(member.adapter_id), finding)


def _best(member: Member, roster: Roster, servers: Sequence[BackendAdapters]) -> _Target | None:
    """By the server that has it, else by any."""
    targets = [_target(member, roster, server.report) for server in servers] or [_target(member, roster, None)]
    return next((target for target in targets if target and target.version), targets[0])


def _fetched(member: Member, roster: Roster, report: Report | None) -> _Target:
    assert member.source is not None  # noqa: S101 (the caller's check)
    entry = report.fetched.get(member.source.key) if report else None
    if report is None or entry is None:
        return _Target(None, _NOT_ASKED)
    if entry.state == "ready" and entry.path is not None and entry.path in report.stored:
        version = Version(entry.path, member.source.kind, entry.revision)
        return _Target(version, check(report.stored[entry.path], roster.rules))
    if entry.problem is not None:
        return _Target(None, AdapterFiles(problem=entry.problem.reason, message=entry.problem.message))
    done = f", {100 * entry.bytes_done // entry.bytes_total} %" if entry.bytes_total else ""
    return _Target(None, AdapterFiles(problem=DOWNLOADING, message=f"downloading {member.source.key}", progress=done))


def _seeded(member: Member) -> Version | None:
    """What an earlier coordinator left speaking, as it stands in the status."""
    adapter = member.status.adapter
    ready = find(member.status.conditions, AgentCondition.ADAPTER_READY)
    if adapter is None or adapter.path is None or ready is None or ready.status != "True":
        return None
    return Version(adapter.path, adapter.source or VOLUME, adapter.revision, proved=True)


def _may_switch(speaking: Version, target: _Target, servers: Sequence[BackendAdapters], *, preloaded: bool) -> bool:
    """Whether what spec asks for takes over, or there is nothing to hold on to.

    It takes over where every server that speaks the version before has proved it; where adapters are preloaded, once
    its files are found fit: the operator then restarts LoRAX with it, and only that can prove it.
    """
    version = target.version
    if version is not None and version.path == speaking.path:
        return True
    refused = target.finding is not None and target.finding.problem is not None
    if preloaded and version is not None and target.finding is not None and not refused:
        return True
    if version is not None and not refused and any(s.book.proved(version.path) for s in servers):
        return all(s.book.proved(version.path) for s in servers if s.book.proved(speaking.path))
    reports = [server.report for server in servers]
    if speaking.source != VOLUME and all(report and speaking.path not in report.stored for report in reports):
        return True
    return not speaking.proved or all(s.book[speaking.path].state is AdapterState.FAILED for s in servers)


def _known(member: Member, roster: Roster, report: Report | None) -> AdapterFiles | None:
    """What the sidecar says of a version that spec no longer names."""
    path = member.adapter_id
    if report is None or path is None:
        return None
    if member.origin == VOLUME:
        return report.volume.get(path.removeprefix(f"{roster.root}/")) or missing_directory(path)
    return report.stored.get(path, AdapterFiles(problem=DOWNLOADING, message="this server does not have it any more"))


def _why(member: Member, target: _Target, servers: Sequence[BackendAdapters]) -> str:
    """Why the version that spec asks for does not speak yet; "Reason: text"."""
    named = member.source.key if member.source else str(member.adapter)
    finding = target.finding
    if target.version is None:
        return f"{named}: {finding.problem}: {finding.message}" if finding else f"{named}: not there yet"
    if finding is not None and finding.problem is not None:
        return f"{named}: {finding.problem}: {finding.message}"
    for record in (server.book[target.version.path] for server in servers):
        if record.state is AdapterState.FAILED:
            return f"{named}: {record.fault}: {record.cause}"
    return f"{named}: it is being tried"


def _with(member: Member, version: Version, *, awaits: str | None = None, held_back: str = "") -> Member:
    return replace(
        member,
        adapter_id=version.path,
        origin=version.source,
        revision=version.revision,
        awaits=awaits,
        held_back=held_back,
    )


def _identity(member: Member) -> str:
    return member.uid or member.name
