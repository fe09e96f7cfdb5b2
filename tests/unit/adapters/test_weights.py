"""boardroom.adapters.weights.read_header against the safetensors library: what the library refuses is refused here."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import safetensors
from hypothesis import example, given
from hypothesis import strategies as st

from boardroom.adapters.files import adapter_files
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.weights import read_header

NAME: Final = "adapter_model.safetensors"
WHOLE: Final[dict[str, Any]] = {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}
NUMBERS: Final = st.one_of(st.integers(-1, 9), st.just(2**64), st.just(4.0), st.booleans(), st.none(), st.just("2"))
ENTRIES: Final = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "f32", "F33", "BF16", "I64", "BOOL", 5, None, ["F32"]]),
        "shape": st.one_of(st.lists(NUMBERS, max_size=3), st.just([2, 1]), st.just("21")),
        "data_offsets": st.one_of(st.lists(NUMBERS, min_size=1, max_size=3), st.just([0, 8])),
    }
)
METADATA: Final = st.one_of(
    st.none(),
    st.dictionaries(st.text(max_size=3), st.one_of(st.text(max_size=3), NUMBERS, st.just({"a": "b"})), max_size=2),
    st.just([]),
    st.just("pt"),
)
PAIRS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("__metadata__"), METADATA),
        st.tuples(st.sampled_from(["a", "b"]), st.one_of(ENTRIES, st.just(WHOLE), st.none(), st.just([]))),
        st.tuples(st.just("a"), st.just(WHOLE)),
    ),
    max_size=3,
)


def text_of(pairs: list[tuple[str, Any]]) -> str:
    """An object as JSON, in which a name may stand twice."""
    return "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pairs) + "}"


@given(header=PAIRS.map(text_of), data=st.sampled_from([b"", bytes(8), bytes(16)]))
@example(header=text_of([("a", WHOLE)]), data=bytes(8))
@example(header=text_of([("__metadata__", {"format": 5}), ("a", WHOLE)]), data=bytes(8))
@example(header=text_of([("__metadata__", {}), ("__metadata__", {}), ("a", WHOLE)]), data=bytes(8))
@example(header=text_of([("a", WHOLE | {"shape": [2, True]})]), data=bytes(8))
@example(header="[" * 100_000, data=b"")
@example(header='{"\\ud800": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', data=bytes(8))
@example(header='{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}', data=bytes(8))
@example(header='{"a": {"dtype": "F32", "shape": [' + "9" * 5000 + '], "data_offsets": [0, 8]}}', data=bytes(8))
@example(header="\ufeff{}", data=b"")
@example(header=' {"a": null}', data=b"")
def test_what_the_library_refuses_is_refused(header: str, data: bytes) -> None:
    content = len(header.encode()).to_bytes(8, "little") + header.encode() + data
    with TemporaryDirectory() as directory:
        (Path(directory) / NAME).write_bytes(content)
        tensors = None
        with suppress(ProblemError):
            tensors = read_header(adapter_files(Path(directory), None)[NAME])
    if tensors is not None:
        taken = safetensors.deserialize(content)  # raises where it refuses
        assert sorted(tensors) == sorted(name for name, _ in taken)
