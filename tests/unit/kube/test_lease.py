"""A Lease, as its candidates write and read it."""

from datetime import UTC, datetime

import pytest

from boardroom.kube.kinds import Object
from boardroom.kube.lease import LeaseExpiry, LeaseRecord, holder_of

NOW = datetime(2026, 12, 1, tzinfo=UTC)
OURS = LeaseRecord(namespace="ns", name="l", identity="a", duration=12, now=lambda: NOW)
EARLIER = "2026-11-01T00:00:00.000000Z"
TIME = "2026-12-01T00:00:00.000000Z"


def lease(holder: str | None, version: str = "1", **spec: object) -> Object:
    return {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder} | spec}


def test_a_first_lease_has_no_version_and_no_transition() -> None:
    written = OURS.acquired(None)
    assert written["metadata"] == {"name": "l", "namespace": "ns"}
    assert written["spec"] == {
        "leaseTransitions": 0,
        "acquireTime": TIME,
        "holderIdentity": "a",
        "leaseDurationSeconds": 12,
        "renewTime": TIME,
    }


@pytest.mark.parametrize(("holder", "acquired", "transitions"), [("a", EARLIER, 3), ("b", TIME, 4), ("", TIME, 4)])
def test_a_renewal_keeps_when_it_was_acquired_and_a_takeover_counts(
    holder: str, acquired: str, transitions: int
) -> None:
    written = OURS.acquired(lease(holder, "7", acquireTime=EARLIER, leaseTransitions=3))
    spec = written["spec"]
    assert (spec["acquireTime"], spec["leaseTransitions"], spec["renewTime"]) == (acquired, transitions, TIME)
    assert written["metadata"]["resourceVersion"] == "7"


def test_only_its_holder_releases_a_lease() -> None:
    released = OURS.released(lease("a"))
    assert released is not None
    assert (holder_of(released), released["spec"]["leaseDurationSeconds"]) == ("", 1)
    assert OURS.released(lease("b")) is None


@pytest.mark.parametrize(("holder", "expected"), [("a", "a"), ("", ""), (None, "")])
def test_a_lease_without_a_holder_was_released(holder: str | None, expected: str) -> None:
    assert holder_of(lease(holder)) == expected


def test_a_lease_expires_for_who_has_seen_it_unchanged_for_its_duration() -> None:
    clock = [0.0]
    expiry = LeaseExpiry(lambda: clock[0])
    seen = []
    for at, version in ((0.0, "1"), (11.9, "1"), (12.0, "1"), (13.0, "2"), (24.9, "2"), (25.0, "2")):
        clock[0] = at
        seen.append(expiry.is_expired(lease("b", version)))
    assert seen == [False, False, True, False, False, True]


def test_a_duration_that_the_lease_names_wins() -> None:
    clock = [0.0]
    expiry = LeaseExpiry(lambda: clock[0])
    before = expiry.is_expired(lease("b", leaseDurationSeconds=3))
    clock[0] = 3.0
    assert (before, expiry.is_expired(lease("b", leaseDurationSeconds=3))) == (False, True)
