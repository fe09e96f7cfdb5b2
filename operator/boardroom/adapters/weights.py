"""The header of a safetensors file: tensor names and shapes, without reading a weight."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import orjson

from boardroom.adapters.files import File, unreadable
from boardroom.adapters.problem import ProblemError

MAX_HEADER_BYTES: Final = 16 << 20
MAX_TENSORS: Final = 100_000
_MAX_DIMENSIONS: Final = 8
"""LoRA matrices have two, those of a convolution four."""

_BITS: Final[Mapping[str, int]] = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One entry of the header; begin and end are byte offsets behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(file: File) -> Mapping[str, Tensor]:
    """The tensors of a safetensors file by name; raises ProblemError AdapterInvalid.

    The format: 8 bytes little-endian header length, the header as JSON, the data (huggingface/safetensors).
    """
    try:
        with file.path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if file.size < 8 or 8 + length > file.size:  # noqa: PLR2004 (the length field's width)
                raise _broken(file, "it ends inside its header")
            if length > MAX_HEADER_BYTES:
                raise _broken(file, f"its header claims {length} bytes, more than {MAX_HEADER_BYTES}")
            header = orjson.loads(stream.read(length))
    except orjson.JSONDecodeError as error:
        raise _broken(file, f"its header is not JSON: {error}") from error
    except OSError as error:
        raise unreadable(file.path, error) from error
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise _broken(file, f"its header is not an object of at most {MAX_TENSORS} tensors")
    header.pop("__metadata__", None)
    tensors = {name: _tensor(file, name, entry) for name, entry in header.items()}
    _check_layout(file, tensors, data_bytes=file.size - 8 - length)
    return tensors


def check_lora(file_tensors: Mapping[str, tuple[File, Tensor]], rank: int) -> tuple[str, ...]:
    """There are pairs of lora_A and lora_B of the rank that the config states, and nothing else; raises ProblemError.

    Returns the modules that they are for, by the last part of their names, sorted.
    """
    pairs = [name for name in file_tensors if ".lora_A." in name]
    if not pairs:
        raise ProblemError(
            "AdapterInvalid",
            f"{_any_path(file_tensors)}: holds no lora_A tensor; save the adapter itself, not the merged model",
        )
    for name in pairs:
        file, tensor = file_tensors[name]
        other = name.replace(".lora_A.", ".lora_B.")
        if other not in file_tensors:
            raise _broken(file, f"tensor {name} has no {other}")
        if tensor.shape[:1] != (rank,) or file_tensors[other][1].shape[1:] != (rank,):
            raise ProblemError(
                "AdapterInvalid",
                f"{file.path}: tensor {name} has shape {list(tensor.shape)}, and adapter_config.json says r={rank}; "
                "copy config and weights of the same training run",
            )
    ignored = file_tensors.keys() - {*pairs, *(name.replace(".lora_A.", ".lora_B.") for name in pairs)}
    if ignored:
        name = min(ignored)
        raise ProblemError(
            "UnsupportedFeature",
            f"{file_tensors[name][0].path}: tensor {name} is no lora_A with its lora_B, and LoRAX ignores it, which "
            "gives wrong answers; train without what it belongs to (a bias, embeddings, modules_to_save)",
        )
    return tuple(sorted({name.split(".lora_")[0].rsplit(".", 1)[-1] for name in pairs}))


def _any_path(file_tensors: Mapping[str, tuple[File, Tensor]]) -> str:
    return str(next((file.path for file, _ in file_tensors.values()), "*.safetensors"))


def _tensor(file: File, name: str, entry: Any) -> Tensor:
    try:
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        bits = _BITS.get(entry["dtype"])
        numbers = (begin, end, *shape)
        if len(shape) > _MAX_DIMENSIONS:
            raise _broken(file, f"tensor {name} has {len(shape)} dimensions")
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise _broken(file, f"tensor {name} has shape {list(shape)} and offsets {begin}, {end}")
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(file, f"tensor {name} lacks dtype, shape or data_offsets") from error
    if bits is not None and math.prod(shape) * bits != (end - begin) * 8:
        raise _broken(file, f"tensor {name} of shape {list(shape)} doesn't fill its {end - begin} bytes")
    return Tensor(entry["dtype"], shape, begin, end)


def _check_layout(file: File, tensors: Mapping[str, Tensor], data_bytes: int) -> None:
    ordered = sorted(tensors.values(), key=lambda tensor: (tensor.begin, tensor.end))
    if ordered and (ordered[0].begin != 0 or any(a.end != b.begin for a, b in pairwise(ordered))):
        raise _broken(file, "its tensors overlap or leave holes")
    if (ordered[-1].end if ordered else 0) != data_bytes:
        raise _broken(file, "its data is cut short or longer than its header says")


def _broken(file: File, what: str) -> ProblemError:
    return ProblemError("AdapterInvalid", f"{file.path}: not a whole safetensors file, {what}; copy it again")
