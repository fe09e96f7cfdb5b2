"""What is remembered of tokens: bounded, and for a while."""

from boardroom.coordinator.auth.verdicts import Hasher, Verdicts


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_verdict_ends_with_its_time() -> None:
    clock = Clock()
    verdicts: Verdicts[str] = Verdicts(4, 60, clock)
    verdicts.put(b"a", "yes")
    clock.seconds = 59.9
    assert verdicts.get(b"a") == "yes"
    clock.seconds = 60.0
    assert verdicts.get(b"a") is None


def test_the_one_used_longest_ago_makes_room() -> None:
    verdicts: Verdicts[str] = Verdicts(2, 60, Clock())
    verdicts.put(b"a", "yes")
    verdicts.put(b"b", "yes")
    verdicts.get(b"a")
    verdicts.put(b"c", "yes")
    assert (len(verdicts), verdicts.get(b"a"), verdicts.get(b"b"), verdicts.get(b"c")) == (2, "yes", None, "yes")


def test_keys_are_not_the_tokens_and_differ_between_processes() -> None:
    one, other = Hasher(), Hasher()
    assert one("token") == one("token")
    assert one("token") != other("token")
    assert b"token" not in one("token")
