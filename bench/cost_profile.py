"""A cost profile of the simulator out of measured decode steps, in the shape of its profiles.toml."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

_USABLE = 0.8
"""Of the GPU's memory: LoRAX keeps 10 % for adapters and a margin of 10 %."""


def profile(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds, GB/s and GB; a decode step is check by least squares of the relative errors.

    step + sequence * sequences + context * tokens attended to + lora (if any adapter) + adapter * distinct adapters
    """
    points = measured["points"]
    step, sequence, context, lora, adapter = _fitted(
        [[1, p["batch"], p["batch"] * p["context"], min(1, p["adapters"]), p["adapters"]] for p in points],
        [p["ms"] for p in points],
    )
    size, load = measured["size"], measured["load_ms"]
    width = 2 if measured["dtype"] == "float16" else 4
    room = _USABLE * measured["memory_gb"] * 1e9 - width * measured["parameters"]
    return {
        "description": f"{measured['parameters'] / 1e9:.2f}B random weights in {measured['dtype']} on "
        f"{measured['device']}, torch {measured['torch']}, measured by `make bench-gpu`",
        "step": step, "sequence": sequence, "context": context, "lora": lora, "adapter": adapter,
        "prefill": measured["prefill_ms_per_token"],
        "download": 20.0, "download_gb_s": 1.0,
        "load": 0.0, "load_gb_s": measured["adapter_bytes"] / 1e6 / load if load else float("inf"),
        "gpu_memory_gb": measured["memory_gb"],
        "kv_tokens": max(0, int(room / (2 * size["layers"] * size["hidden"] * width))),
    }  # fmt: skip


def _fitted(rows: Sequence[Sequence[float]], ms: Sequence[float]) -> list[float]:
    """What each column costs, none of it negative: a column that would be is left out, and the rest check anew."""
    times = torch.tensor(ms, dtype=torch.float64)
    table = torch.tensor(rows, dtype=torch.float64) / times[:, None]
    costs, columns = [0.0] * len(rows[0]), list(range(len(rows[0])))
    while columns:
        found = torch.linalg.lstsq(table[:, columns], torch.ones(len(ms), 1, dtype=torch.float64)).solution.flatten()
        if bool((found >= 0).all()):
            for column, cost in zip(columns, found.tolist(), strict=True):
                costs[column] = cost
            break
        columns = [column for column, cost in zip(columns, found.tolist(), strict=True) if cost >= 0]
    return costs


def written(name: str, fields: Mapping[str, Any]) -> str:
    """As a table of TOML."""
    lines = [f"{key} = {_value(value)}" for key, value in fields.items()]
    note = "# download and download_gb_s are assumptions, as in the profiles beside; the rest was measured."
    return "\n".join([note, f"[{name}]", *lines]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int) or value == float("inf"):
        return str(value)
    return repr(float(f"{value:.6g}"))
