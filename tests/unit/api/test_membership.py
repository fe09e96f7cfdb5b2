import pytest

from boardroom.api.boardagent import BoardAgentSpec
from boardroom.api.membership import Candidate, admit, unknown_board


def candidate(name: str, role: str, created: str = "2026-01-01T00:00:00Z", **adapter: object) -> Candidate:
    spec = BoardAgentSpec.model_validate({"boardroomRef": {"name": "b"}, "role": role, "adapter": adapter})
    return Candidate(name=name, created=created, spec=spec)


@pytest.mark.parametrize(
    ("candidates", "max_members", "reasons"),
    [
        pytest.param([], 15, {}, id="an empty board"),
        pytest.param([candidate("a", "CEO"), candidate("b", "CFO")], 2, {"a": "Accepted", "b": "Accepted"}, id="room"),
        pytest.param(
            [candidate("a", "CEO"), candidate("b", "ceo")], 15, {"a": "Accepted", "b": "DuplicateRole"}, id="case"
        ),
        pytest.param(
            [candidate("a", "CEO", "2026-02-01T00:00:00Z"), candidate("b", "CEO", "2026-01-01T00:00:00Z")],
            15,
            {"a": "DuplicateRole", "b": "Accepted"},
            id="the older one keeps the role",
        ),
        pytest.param([candidate("a", "A"), candidate("b", "B")], 1, {"a": "Accepted", "b": "BoardFull"}, id="full"),
        pytest.param(
            [candidate("a", "A"), candidate("b", "a"), candidate("c", "C")],
            2,
            {"a": "Accepted", "b": "DuplicateRole", "c": "Accepted"},
            id="a refused agent takes no place",
        ),
    ],
)
def test_seats_go_to_the_first_comers(candidates: list[Candidate], max_members: int, reasons: dict[str, str]) -> None:
    assert {name: verdict.reason for name, verdict in admit(candidates, max_members).items()} == reasons


HUB = {"repo": "org/x"}


@pytest.mark.parametrize(
    ("places", "candidates", "accepted"),
    [
        (2, [candidate("a", "A"), candidate("b", "B"), candidate("c", "C")], ["a", "b"]),
        (2, [candidate("a", "A"), candidate("b", "B", path="a_lora_adapter"), candidate("c", "C")], ["a", "b", "c"]),
        (2, [candidate("a", "A", none=True), candidate("b", "B"), candidate("c", "C", none=True)], ["a", "b", "c"]),
        (1, [candidate("a", "A", none=True), candidate("b", "B")], ["a"]),
        (1, [candidate("a", "A", huggingFace=HUB), candidate("b", "B", huggingFace=HUB)], ["a", "b"]),
        (1, [candidate("a", "A", huggingFace=HUB), candidate("b", "B", path="org/x")], ["a"]),
        (None, [candidate("a", "A"), candidate("b", "B")], ["a", "b"]),
    ],
)
def test_no_more_adapters_are_accepted_than_lorax_holds(
    places: int | None, candidates: list[Candidate], accepted: list[str]
) -> None:
    verdicts = admit(candidates, 15, places)
    assert [name for name, verdict in verdicts.items() if verdict.accepted] == accepted
    assert {verdict.reason for verdict in verdicts.values()} <= {"Accepted", "NoAdapterPlace"}


@pytest.mark.parametrize(("requests", "accepted"), [(1, ["a"]), (3, ["a", "b", "c"]), (None, ["a", "b", "c"])])
def test_no_more_members_are_accepted_than_lorax_answers_at_once(requests: int | None, accepted: list[str]) -> None:
    """Also those that share an adapter, or have none: a question asks all of them at once."""
    candidates = [candidate("a", "A"), candidate("b", "B", path="a_lora_adapter"), candidate("c", "C", none=True)]
    verdicts = admit(candidates, 15, 9, requests)
    assert [name for name, verdict in verdicts.items() if verdict.accepted] == accepted
    assert {verdict.reason for verdict in verdicts.values()} <= {"Accepted", "ConcurrencyLimit"}


@pytest.mark.parametrize(("fetched", "reason"), [(True, "Accepted"), (False, "NotPreloadable")])
def test_where_adapters_are_preloaded_a_fetched_one_needs_a_place_that_lasts(fetched: bool, reason: str) -> None:
    candidates = [candidate("a", "A", huggingFace=HUB), candidate("b", "B"), candidate("c", "C", none=True)]
    reasons = [verdict.reason for verdict in admit(candidates, 15, fetched=fetched).values()]
    assert reasons == [reason, "Accepted", "Accepted"]


def test_the_order_of_candidates_does_not_matter() -> None:
    candidates = [candidate(f"agent-{i}", f"role{i % 3}") for i in range(9)]
    assert admit(candidates, 2) == admit(reversed(candidates), 2)


def test_a_refusal_names_the_field_and_the_remedy() -> None:
    verdicts = admit([candidate("a", "CEO"), candidate("b", "ceo")], 15)
    assert verdicts["b"].message == (
        "spec.role 'ceo' is taken by BoardAgent 'a' (case is ignored): choose another role or delete one of the two"
    )
    assert "spec.boardroomRef.name: there is no Boardroom 'x' in namespace 'ns'" in unknown_board("x", "ns").message
    [_, full] = admit([candidate("a", "CEO"), candidate("b", "CFO")], 15, 1).values()
    assert "raise spec.lorax.adapterCacheSize of the Boardroom or delete another BoardAgent" in full.message
