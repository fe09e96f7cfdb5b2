"""Parses the header of a safetensors file: tensor names and shapes, without the weights.

A file that the safetensors library refuses is refused here. The library itself is not used, because it maps the file
into memory: a file that is truncated meanwhile would kill the process.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from boardroom.adapters.content import wrong_content
from boardroom.adapters.files import File, unreadable
from boardroom.adapters.problem import ProblemError

MAX_HEADER_BYTES: Final = 16 << 20
MAX_TENSORS: Final = 100_000
_LENGTH_BYTES: Final = 8
_MAX_DIMENSIONS: Final = 8
"""LoRA matrices have two dimensions; matrices of a convolution have four."""

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
    """A tensor's entry in the header; `begin` and `end` are byte offsets after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(file: File) -> Mapping[str, Tensor]:
    """Return the tensors of a safetensors file by name; raises ProblemError AdapterInvalid.

    The format: 8 bytes little-endian header length, the header as JSON, the data (huggingface/safetensors).
    """
    try:
        with file.path.open("rb") as stream:
            begin = stream.read(_LENGTH_BYTES)
            length = int.from_bytes(begin, "little")
            if file.size < _LENGTH_BYTES or _LENGTH_BYTES + length > file.size:
                raise _broken(file, "it ends inside its header", begin + stream.read(64))
            if length > MAX_HEADER_BYTES:
                raise _broken(file, f"its header claims {length} bytes, more than {MAX_HEADER_BYTES}")
            header = _parsed(file, stream.read(length))
    except OSError as error:
        raise unreadable(file.path, error) from error
    _check_metadata(file, header.pop("__metadata__", None))
    tensors = {name: _tensor(file, name, entry) for name, entry in header.items()}
    _check_layout(file, tensors, data_bytes=file.size - _LENGTH_BYTES - length)
    return tensors


def _parsed(file: File, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _broken(file, f"its header is not JSON: {error}") from error
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise _broken(file, f"its header is not an object of at most {MAX_TENSORS} tensors")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        name.encode()  # raises for a lone surrogate, which JSON can't encode
        if isinstance(value, str):
            value.encode()
        if name in fields:
            raise ValueError(f"{name} is there twice")
        fields[name] = value
    return fields


def _check_metadata(file: File, metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _broken(file, "its __metadata__ is not an object of texts")
    if "total_size" in metadata:  # LoRAX adds it as a number, but the format has only texts
        raise _broken(file, "its __metadata__ has a total_size, with which LoRAX can't load it")


def _tensor(file: File, name: str, entry: Any) -> Tensor:
    try:
        begin, end = entry["data_offsets"]
        shape, dtype = tuple(entry["shape"]), entry["dtype"]
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(file, f"tensor {name} lacks dtype, shape or data_offsets") from error
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _broken(file, f"tensor {name} has the dtype {dtype!r}, and there are {', '.join(_BITS)}")
    if len(shape) > _MAX_DIMENSIONS:
        raise _broken(file, f"tensor {name} has {len(shape)} dimensions")
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise _broken(file, f"tensor {name} has shape {list(shape)} and offsets {begin}, {end}")
    if math.prod(shape) * _BITS[dtype] != (end - begin) * 8:
        raise _broken(file, f"tensor {name} of shape {list(shape)} doesn't fill its {end - begin} bytes")
    return Tensor(dtype, shape, begin, end)


def _check_layout(file: File, tensors: Mapping[str, Tensor], data_bytes: int) -> None:
    ordered = sorted(tensors.values(), key=lambda tensor: (tensor.begin, tensor.end))
    if ordered and (ordered[0].begin != 0 or any(a.end != b.begin for a, b in pairwise(ordered))):
        raise _broken(file, "its tensors overlap or leave holes")
    if (ordered[-1].end if ordered else 0) != data_bytes:
        raise _broken(file, "its data is cut short or longer than its header says")


def _broken(file: File, what: str, begin: bytes = b"") -> ProblemError:
    remedy = wrong_content(begin) or f"not a whole safetensors file, {what}; copy it again"
    return ProblemError("AdapterInvalid", f"{file.path}: {remedy}")
