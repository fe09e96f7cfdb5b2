"""Many LoRA adapters in one batch, measured with PyTorch: a decode step by batch size and by distinct adapters.

A transformer of a stated size with random weights generates one token for each sequence of a batch. Each sequence has
an adapter of its own or shares one; the adapters' matrices are gathered by the sequence's index and applied as one
batched product per projection (gathered BMM), which is what Punica's kernel does in one pass and LoRAX uses. Beside it:
the same sequences on as many separate models as there are members, as with one GPU per agent.
"""

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bench import RESULTS, machine, report
from bench.cost_profile import profile, written

RANK = 16


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of the base model."""

    name: str
    layers: int
    hidden: int
    heads: int
    inner: int
    """Width of the MLP."""
    context: int
    """Tokens that each sequence attends to."""
    batches: Sequence[int] = (1, 2, 4, 8, 16, 32)
    adapters: int = 32
    steps: int = 20


SIZES = {
    size.name: size
    for size in (
        Size(name="tiny", layers=2, hidden=64, heads=4, inner=128, context=32, batches=(1, 2, 4), adapters=4, steps=3),
        Size(name="1b", layers=22, hidden=2048, heads=32, inner=5632, context=512),
        Size(name="7b", layers=32, hidden=4096, heads=32, inner=14336, context=512),
    )
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """Median milliseconds of a decode step; `adapters` 0 is the base model alone."""

    batch: int
    adapters: int
    context: int
    ms: float
    low: float
    high: float


def plain_attention(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """As scaled_dot_product_attention, which Debian's torch does not have yet; the tests run on that one."""
    scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.softmax(dim=-1) @ values


ATTENTION: Callable[..., Tensor] = getattr(functional, "scaled_dot_product_attention", plain_attention)


class Layer:
    """Attention over what came before, and an MLP; LoRA on the query and value projections, as PEFT does by default."""

    def __init__(self, size: Size, make: Callable[..., Tensor]) -> None:
        h = size.hidden
        self.heads = size.heads
        self.qkv, self.out = make(3 * h, h), make(h, h)
        self.gate_up, self.down = make(2 * size.inner, h), make(h, size.inner)
        self.lora_a = make(size.adapters, 2, h, RANK)
        self.lora_b = make(size.adapters, 2, RANK, h)

    def step(self, x: Tensor, keys: Tensor, values: Tensor, index: Tensor | None) -> Tensor:
        """One token for each sequence: x is (batch, hidden), keys and values (batch, heads, context, width).

        The token's own key and value go into the last place of the context, so that no tensor grows.
        """
        batch, hidden = x.shape
        normed = _normed(x)
        query, key, value = functional.linear(normed, self.qkv).chunk(3, dim=-1)
        if index is not None:
            # One row of hidden width for each sequence and projection, through its rank and back.
            added = normed[:, None, None, :] @ self.lora_a[index] @ self.lora_b[index]
            query, value = query + added[:, 0, 0], value + added[:, 1, 0]
        shape = (batch, self.heads, hidden // self.heads)
        keys[:, :, -1], values[:, :, -1] = key.view(shape), value.view(shape)
        seen = ATTENTION(query.view(shape)[:, :, None], keys, values)
        x = x + functional.linear(seen.reshape(batch, hidden), self.out)
        gate, up = functional.linear(_normed(x), self.gate_up).chunk(2, dim=-1)
        return x + functional.linear(functional.silu(gate) * up, self.down)


class Model:
    """Layers of random weights on a device."""

    def __init__(self, size: Size, device: str, *, seed: int = 0) -> None:
        self.size, self.device = size, device
        self.dtype = torch.float16 if device == "cuda" else torch.float32
        self._random = torch.Generator(device).manual_seed(seed)
        self.layers = [Layer(size, self.make) for _ in range(size.layers)]

    def make(self, *shape: int) -> Tensor:
        """Random weights, scaled so that activations stay finite."""
        scale = 1 / math.sqrt(shape[-1])
        return torch.randn(shape, generator=self._random, device=self.device, dtype=self.dtype) * scale

    @property
    def parameters(self) -> int:
        """Of the base model, embeddings aside."""
        return sum(t.numel() for layer in self.layers for t in (layer.qkv, layer.out, layer.gate_up, layer.down))

    def caches(self, batch: int, context: int) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of a batch."""
        shape = (batch, self.size.heads, context, self.size.hidden // self.size.heads)
        return [(self.make(*shape), self.make(*shape)) for _ in self.layers]

    def step(self, x: Tensor, caches: Sequence[tuple[Tensor, Tensor]], index: Tensor | None) -> Tensor:
        """All layers."""
        for layer, (keys, values) in zip(self.layers, caches, strict=True):
            x = layer.step(x, keys, values, index)
        return x


def measure(size: Size, device: str | None = None) -> dict[str, Any]:
    """Decode steps by batch size and by distinct adapters, a prefill, an adapter's way to the device, N models."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    with torch.inference_mode():
        model = Model(size, device)
        points = [asdict(point) for point in _points(model)]
        result = {
            "size": asdict(size), "parameters": model.parameters, "rank": RANK, "device": _device(device),
            "torch": torch.__version__, "dtype": str(model.dtype).removeprefix("torch."), "points": points,
            "prefill_ms_per_token": _prefill(model), "load_ms": _load(model), "adapter_bytes": _adapter_bytes(model),
            "memory_gb": _memory(device) / 1e9,
        }  # fmt: skip
        result["separate"] = [{"members": n, "ms": n * _of(points, 1, 1)["ms"]} for n in size.batches]
    return result


def _normed(x: Tensor) -> Tensor:
    """RMS norm without weights."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps)


def _points(model: Model) -> Iterator[Point]:
    size = model.size
    for batch in size.batches:
        # 0: the base model; then the fewest and the most distinct adapters that a batch can have.
        for adapters in sorted({0, 1, min(batch, size.adapters)}):
            yield _point(model, batch, adapters, size.context)
        yield _point(model, batch, 0, 4 * size.context)


def _point(model: Model, batch: int, adapters: int, context: int) -> Point:
    caches, x = model.caches(batch, context), model.make(batch, model.size.hidden)
    index = torch.arange(batch, device=model.device) % adapters if adapters else None
    times = _timed(lambda: model.step(x, caches, index), model)
    return Point(
        batch=batch, adapters=adapters, context=context, ms=statistics.median(times), low=min(times), high=max(times)
    )


def _prefill(model: Model) -> float:
    """Of one sequence of `context` tokens, whose every product is a matrix's; attention among them is left out."""
    tokens = model.size.context
    caches, x = model.caches(tokens, 1), model.make(tokens, model.size.hidden)
    return statistics.median(_timed(lambda: model.step(x, caches, None), model)) / tokens


def _load(model: Model) -> float:
    """Milliseconds to bring one adapter's matrices from memory to the device; 0 where that is the same."""
    if model.device != "cuda":
        return 0.0
    one = [torch.empty_like(t[0], device="cpu").pin_memory() for lay in model.layers for t in (lay.lora_a, lay.lora_b)]
    return statistics.median(_timed(lambda: [t.to("cuda", non_blocking=True) for t in one], model))


def _timed(run: Callable[[], Any], model: Model) -> list[float]:
    for _ in range(3):
        run()
    times = []
    for _ in range(model.size.steps):
        _wait(model.device)
        began = time.perf_counter()
        run()
        _wait(model.device)
        times.append(1000 * (time.perf_counter() - began))
    return times


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _device(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"


def _adapter_bytes(model: Model) -> int:
    return sum(t[0].numel() * t.element_size() for layer in model.layers for t in (layer.lora_a, layer.lora_b))


def _memory(device: str) -> int:
    """Of the device, in bytes."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of(points: Sequence[dict[str, Any]], batch: int, adapters: int) -> dict[str, Any]:
    return next(p for p in points if (p["batch"], p["adapters"]) == (batch, adapters))


def main() -> None:
    """Measure, and write bench/results/gpu.json and the cost profile beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    fits = (
        "7b" if torch.cuda.is_available() and _memory("cuda") > 40e9 else "1b" if torch.cuda.is_available() else "tiny"
    )
    parser.add_argument("--size", choices=SIZES, default=fits)
    size = SIZES[parser.parse_args().size]
    where = machine.describe()
    result = measure(size)
    report.save("gpu", {"machine": where, "command": f"make bench-gpu SIZE={size.name}"} | result)
    (RESULTS / "gpu-profile.toml").write_text(written(f"measured-{size.name}", profile(result)))
    print((RESULTS / "gpu-profile.toml").read_text())


if __name__ == "__main__":
    main()
