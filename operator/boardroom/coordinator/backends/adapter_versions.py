"""Chooses the version of each member's adapter: the active version serves until the pending version is ready.

LoRAX knows an adapter by its path only (docs/lorax.md#path-cache), and every version has a path of its own: fetched
adapters lie under the digest of their files, and those on the volume under the path that a spec names. A question takes
the roster as it is when it comes, so a switch falls between two questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from boardroom.adapters.compatibility import check
from boardroom.adapters.protocol import AdapterFiles, DesiredSource, DesiredSources, missing_directory
from boardroom.api.conditions import AgentCondition, find
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.adapter_state import DOWNLOADING, AdapterPhase
from boardroom.coordinator.backends.sidecar import SidecarReport
from boardroom.coordinator.board.roster import VOLUME, Member, Roster

_NOT_REPORTED: Final = AdapterFiles(
    problem=DOWNLOADING, message="the adapters service beside LoRAX has not reported yet whether it has the adapter"
)


@dataclass(frozen=True)
class Version:
    """An adapter as LoRAX can load it."""

    path: str
    source: str = VOLUME
    revision: str | None = None
    has_answered: bool = False
    """Whether it has ever answered."""


@dataclass(frozen=True)
class _Desired:
    """The version that a member's spec asks for, or the reason why there is none yet."""

    version: Version | None
    files: AdapterFiles | None


@dataclass(frozen=True)
class BackendAdapters:
    """The last sidecar report of a LoRAX server, and the states of its adapters."""

    report: SidecarReport | None
    registry: AdapterRegistry


class AdapterVersions:
    """Remembers the active version of each member."""

    def __init__(self) -> None:
        self._active: dict[str, Version] = {}

    def resolve(self, roster: Roster, servers: Sequence[BackendAdapters]) -> Roster:
        """The roster with every member's adapter_id as LoRAX is to get it now."""
        members = tuple(self._member(member, roster, servers) for member in roster.members)
        uids = {_identity(member) for member in members}
        self._active = {uid: version for uid, version in self._active.items() if uid in uids}
        return replace(roster, members=members)

    def _member(self, member: Member, roster: Roster, servers: Sequence[BackendAdapters]) -> Member:
        uid = _identity(member)
        target = _desired_anywhere(member, roster, servers)
        if target is None:
            self._active.pop(uid, None)
            return member
        active = self._active.get(uid) or _from_status(member)
        if active is not None and any(s.registry.is_ready(active.path) for s in servers):
            active = replace(active, has_answered=True)
        if active is None or _may_switch(active, target, servers, preloaded=roster.preloaded):
            return self._serve(member, target)
        self._active[uid] = active
        pending = target.version.path if target.version else None
        return _serving(
            member, active, pending_adapter_id=pending, pending_reason=_pending_reason(member, target, servers)
        )

    def _serve(self, member: Member, target: _Desired) -> Member:
        """The member with the version that spec asks for. If there is none yet, its adapter_id is never sent."""
        uid = _identity(member)
        version = target.version
        if version is None:
            self._active.pop(uid, None)
            assert member.source is not None  # noqa: S101 (what lies on the volume has a path at once)
            return replace(member, adapter_id=member.source.key, origin=member.source.kind)
        self._active[uid] = replace(version, has_answered=version == self._active.get(uid) and version.has_answered)
        return _serving(member, version)


def files_by_adapter(roster: Roster, report: SidecarReport | None) -> dict[str, AdapterFiles]:
    """The files of each adapter_id of a resolved roster in a server's sidecar report. None: no files known."""
    known: dict[str, AdapterFiles] = {}
    for member in roster.members:
        target = _desired(member, roster, report)
        if target is None or member.adapter_id is None:
            continue
        asked = member.pending_adapter_id or (
            member.source.key if member.pending_reason and member.source else member.adapter_id
        )
        if member.pending_reason and (before := _active_files(member, roster, report)):
            known[member.adapter_id] = before
        if target.files is not None:
            known[asked] = target.files
    return known


def wanted(roster: Roster) -> DesiredSources:
    """The sources that the sidecar must fetch and keep for a resolved roster."""
    sources = {m.source.key: m.source for m in roster.members if m.source}
    return DesiredSources(
        sources=tuple(DesiredSource.of(source) for _, source in sorted(sources.items())),
        keep=tuple(sorted({m.adapter_id for m in roster.members if m.adapter_id and m.pending_reason})),
        max_bytes=roster.rules.max_bytes,
    )


def _desired(member: Member, roster: Roster, report: SidecarReport | None) -> _Desired | None:
    if member.source is not None:
        return _fetched(member, roster, report)
    if member.adapter is None or member.adapter_id is None:
        return None
    files = (
        check(report.volume.get(member.adapter) or missing_directory(member.adapter_id), roster.rules)
        if report
        else None
    )
    return _Desired(Version(member.adapter_id), files)


def _desired_anywhere(member: Member, roster: Roster, servers: Sequence[BackendAdapters]) -> _Desired | None:
    """The desired version by a server that has one, else the first server's result."""
    targets = [_desired(member, roster, server.report) for server in servers] or [_desired(member, roster, None)]
    return next((target for target in targets if target and target.version), targets[0])


def _fetched(member: Member, roster: Roster, report: SidecarReport | None) -> _Desired:
    assert member.source is not None  # noqa: S101 (the caller's check)
    entry = report.fetched.get(member.source.key) if report else None
    if report is None or entry is None:
        return _Desired(None, _NOT_REPORTED)
    if entry.state == "ready" and entry.path is not None and entry.path in report.stored:
        version = Version(entry.path, member.source.kind, entry.revision)
        return _Desired(version, check(report.stored[entry.path], roster.rules))
    if entry.problem is not None:
        return _Desired(None, AdapterFiles(problem=entry.problem.reason, message=entry.problem.message))
    done = f", {100 * entry.bytes_done // entry.bytes_total} %" if entry.bytes_total else ""
    return _Desired(None, AdapterFiles(problem=DOWNLOADING, message=f"downloading {member.source.key}", progress=done))


def _from_status(member: Member) -> Version | None:
    """The active version that an earlier coordinator wrote to the member's status. None: no ready adapter in it."""
    adapter = member.status.adapter
    ready = find(member.status.conditions, AgentCondition.ADAPTER_READY)
    if adapter is None or adapter.path is None or ready is None or ready.status != "True":
        return None
    return Version(adapter.path, adapter.source or VOLUME, adapter.revision, has_answered=True)


def _may_switch(active: Version, target: _Desired, servers: Sequence[BackendAdapters], *, preloaded: bool) -> bool:
    """Whether the version that spec asks for takes over, or the active version can't serve any more.

    The pending version takes over when every server that has the active version ready has the pending one ready too.
    A preloaded adapter takes over once its files fit: the operator then restarts LoRAX with it, and only a restart can
    make it ready.
    """
    version = target.version
    if version is not None and version.path == active.path:
        return True
    refused = target.files is not None and target.files.problem is not None
    if preloaded and version is not None and target.files is not None and not refused:
        return True
    if version is not None and not refused and any(s.registry.is_ready(version.path) for s in servers):
        return all(s.registry.is_ready(version.path) for s in servers if s.registry.is_ready(active.path))
    reports = [server.report for server in servers]
    if active.source != VOLUME and all(report and active.path not in report.stored for report in reports):
        return True
    return not active.has_answered or all(s.registry[active.path].phase is AdapterPhase.FAILED for s in servers)


def _active_files(member: Member, roster: Roster, report: SidecarReport | None) -> AdapterFiles | None:
    """The sidecar's report of a version that spec no longer names."""
    path = member.adapter_id
    if report is None or path is None:
        return None
    if member.origin == VOLUME:
        return report.volume.get(path.removeprefix(f"{roster.root}/")) or missing_directory(path)
    return report.stored.get(path, AdapterFiles(problem=DOWNLOADING, message="this server does not have it any more"))


def _pending_reason(member: Member, target: _Desired, servers: Sequence[BackendAdapters]) -> str:
    """Why the version that spec asks for does not serve yet, as "Reason: text"."""
    named = member.source.key if member.source else str(member.adapter)
    files = target.files
    if target.version is None:
        return f"{named}: {files.problem}: {files.message}" if files else f"{named}: not there yet"
    if files is not None and files.problem is not None:
        return f"{named}: {files.problem}: {files.message}"
    for state in (server.registry[target.version.path] for server in servers):
        if state.phase is AdapterPhase.FAILED:
            return f"{named}: {state.reason}: {state.cause}"
    return f"{named}: it is being tried"


def _serving(
    member: Member, version: Version, *, pending_adapter_id: str | None = None, pending_reason: str = ""
) -> Member:
    return replace(
        member,
        adapter_id=version.path,
        origin=version.source,
        revision=version.revision,
        pending_adapter_id=pending_adapter_id,
        pending_reason=pending_reason,
    )


def _identity(member: Member) -> str:
    return member.uid or member.name
