"""operator/ is written in the field's words: names that only this project used stay out, and pages that it cites exist.

Python's tokenizer tells identifiers from comments and strings. A word that has an ordinary meaning too (a link, a
poll, a replica) is kept out as an identifier only.
"""

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
SOURCES: Final = sorted((ROOT / "operator").rglob("*.py"))

NAMES: Final[Mapping[str, str]] = {
    "AdapterBook": "AdapterRegistry",
    "AdapterRecord": "AdapterState",
    "Arrival": "Upload",
    "AskProblem": "ApiError",
    "Asked": "the incarnation that was asked",
    "Attempts": "Dispatcher",
    "Books": "AdapterSummary",
    "Candidacy": "LeaderElector",
    "Desk": "Leader",
    "FieldNotTaken": "UnsupportedParameter",
    "Finding": "ConditionValue, or AdapterFiles",
    "Findings": "SidecarClient",
    "Fleet": "BackendPool",
    "Hearing": "MemberStream",
    "Inbox": "UploadStore",
    "Link": "Follower",
    "Meeting": "Session",
    "News": "OutcomeDelta",
    "Occupancy": "GpuSecondsMeter",
    "Outbox": "EventBuffer",
    "Particulars": "AskContext",
    "Poll": "GrantRequest",
    "Proof": "AdapterAggregate",
    "Refused": "Unauthorized, or RejectedAgent",
    "Replica": "Backend",
    "Rules": "AdapterPolicy",
    "Seat": "Agent",
    "Settled": "SamplingParams",
    "Stay": "InFlight",
    "Streamed": "StreamBody",
    "Subject": "PodUnderTest",
    "Teller": "EventWriter",
    "Terms": "LeaderElector",
    "Told": "OutcomeReport",
    "Turn": "MemberPrompt, or RolloutState",
    "UNHEARD": "COORDINATOR_NOT_READY",
    "Whole": "JsonBody",
    "Words": "WorkloadMessages",
    "_obey": "apply_grant",
    "_past_lorax": "skip_reason",
    "_step_back": "on_stopped_leading",
    "_vote": "try_acquire_or_renew",
    "awaits": "pending_adapter_id",
    "bid": "renewal_body",
    "carried": "keep_transition_time",
    "door": "a handler",
    "doubt": "invalidate",
    "fell_back": "fallback_reason",
    "firm": "is_confirmed_leader",
    "fitted": "check",
    "held_back": "pending_reason",
    "look_soon": "check_now",
    "meaning": "comparable",
    "patiently": "retry_on_overload",
    "proved": "is_ready",
    "settle": "resolve",
    "speaking": "active",
    "speaks": "serves",
    "spoke": "active, or answered",
    "stands": "contains",
    "trouble": "pod_problems, or a reason",
    "unproved": "unverified",
    "urgent": "is_urgent",
    "vet": "refresh",
    "vouched": "verified",
    "why_not": "reason",
    "without_seat": "rejected",
    "won": "renewed",
}
"""What no identifier is, and what the field calls it."""

WORDS: Final[Mapping[str, str]] = {
    "candidacy": "leader election",
    "desks?": "leader",
    "fleets?": "pool of backends",
    "hearsay": "coordinator status",
    "occupancy": "GPU seconds",
    "outbox": "event buffer",
    "particulars": "context of a question",
    "proved|unproved": "ready, verified",
    "seats?|seated": "membership, member, accepted",
    "the say": "holds the Lease",
    "unheard": "without a coordinator's status",
    "unheeded": "dropped",
    "voices?": "signature, weights",
    "vouch(?:es|ed)?": "verified",
}
"""What no comment, docstring or message says, and no part of an identifier."""

ELSEWHERE: Final = ("LORAX.md", "HOUSE.md", "DESIGN.md", "FAULTS.md", "STYLE.md", "VLLM.md", "PERFORMANCE.md")
"""Files that are not in the repository; docs/lorax.md has LoRAX's hazards by name."""

_TEXTS: Final = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def private(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and the field's word for it, of each private word in a source."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            if token.string in NAMES:
                yield token.start[0], token.string, NAMES[token.string]
            yield from _said(_parts(token.string), token.start[0])
        elif token.type in _TEXTS:
            yield from _said(token.string, token.start[0])


def _said(text: str, line: int) -> Iterator[tuple[int, str, str]]:
    for word, instead in WORDS.items():
        for match in re.finditer(rf"\b(?:{word})\b", text, re.IGNORECASE):
            yield line + text.count("\n", 0, match.start()), match[0], instead


def _parts(identifier: str) -> str:
    """`before_wave` and `BeforeWave` as two words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", identifier)


def cited(source: str) -> Iterator[str]:
    """Pages of docs/ that comments, docstrings and messages name."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _TEXTS:
            yield from re.findall(r"docs/[\w/-]+(?:\.md)?", token.string)


def missing(citation: str) -> bool:
    """Whether no page is there; decisions are cited by their number."""
    path = ROOT / citation
    return not (path.exists() or list(path.parent.glob(f"{path.name}-*.md")))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT / "operator/boardroom"))


def test_no_private_word_comes_back() -> None:
    found = {name(source): list(private(source.read_text(encoding="utf-8"))) for source in SOURCES}
    assert {source: words for source, words in found.items() if words} == {}


def test_nothing_cites_a_file_that_is_not_here() -> None:
    texts = {name(source): source.read_text(encoding="utf-8") for source in SOURCES}
    assert [(source, other) for source, text in texts.items() for other in ELSEWHERE if other in text] == []
    assert [(source, trap) for source, text in texts.items() for trap in re.findall(r"\btraps? \d+", text)] == []
    assert [(source, page) for source, text in texts.items() for page in cited(text) if missing(page)] == []


SAMPLE: Final = '''"""Whose voice it is:
who has the say (docs/decisions/0024, docs/lorax.md, docs/nowhere.md)."""
class AdapterBook:  # unheard of, and seated
    link = Link("a book, a link, a proof").before_hearsay
    seatbelt, outboxes = BaseVoice, f"{link} of the Observer"
'''


def test_private_words_are_found_wherever_they_stand() -> None:
    assert list(private(SAMPLE)) == [
        (2, "the say", WORDS["the say"]),
        (1, "voice", WORDS["voices?"]),
        (3, "AdapterBook", NAMES["AdapterBook"]),
        (3, "seated", WORDS["seats?|seated"]),
        (3, "unheard", WORDS["unheard"]),
        (4, "Link", NAMES["Link"]),
        (4, "hearsay", WORDS["hearsay"]),
        (5, "Voice", WORDS["voices?"]),
    ]


def test_citations_of_pages_that_are_not_there_are_found() -> None:
    assert [citation for citation in cited(SAMPLE) if missing(citation)] == ["docs/nowhere.md"]
