"""The programs of `make bench-gpu` at a tiny size on the CPU, with torch from wherever it is: PyPI or Debian."""

import sys
import tomllib

import pytest

from boardroom.simulator.model_server.cost import CostModel

DEBIAN = "/usr/lib/python3/dist-packages"

sys.path.append(DEBIAN)  # behind all that the environment has itself, and not for other tests
try:
    torch = pytest.importorskip(
        "torch", reason="torch is not here: `make test-component` installs Debian's where it may"
    )
finally:
    sys.path.remove(DEBIAN)


def measured(points: list[dict[str, float]]) -> dict[str, object]:
    return {
        "points": points, "size": {"layers": 2, "hidden": 64}, "parameters": 1_000_000, "dtype": "float16",
        "device": "a test", "torch": "0", "memory_gb": 1.0, "load_ms": 2.0, "adapter_bytes": 50_000_000,
        "prefill_ms_per_token": 0.5,
    }  # fmt: skip


def test_the_fit_finds_the_costs_that_the_times_were_made_of() -> None:
    from bench.cost_profile import profile, written

    points = [
        {"batch": b, "adapters": a, "context": c, "ms": 10 + 0.5 * b + 0.001 * b * c + (2 if a else 0) + 0.1 * a}
        for b in (1, 2, 4, 8)
        for a in (0, 1, b)
        for c in (128, 512)
    ]
    cost = CostModel(**tomllib.loads(written("x", profile(measured(points))))["x"])
    assert (cost.step, cost.sequence, cost.context, cost.lora, cost.adapter) == pytest.approx((10, 0.5, 0.001, 2, 0.1))
    assert cost.load_seconds(50_000_000) == pytest.approx(0.002)
    assert cost.decode_seconds(4, 4 * 512, 4) == pytest.approx((10 + 2 + 2.048 + 2 + 0.4) / 1000)


def test_no_cost_is_negative() -> None:
    from bench.cost_profile import profile

    points = [{"batch": b, "adapters": a, "context": 64, "ms": 10.0 - a} for b in (1, 2, 4) for a in (0, 1, b)]
    found = profile(measured(points))
    assert min(found[name] for name in ("step", "sequence", "context", "lora", "adapter")) >= 0


def test_attention_is_the_same_where_torch_has_none_of_its_own() -> None:
    from bench.multi_lora import plain_attention

    own = getattr(torch.nn.functional, "scaled_dot_product_attention", None)
    query, keys, values = torch.randn(2, 3, 1, 8), torch.randn(2, 3, 5, 8), torch.randn(2, 3, 5, 8)
    found = plain_attention(query, keys, values)
    if own is not None:
        assert torch.allclose(found, own(query, keys, values), atol=1e-6)
    weights = torch.exp((query * keys).sum(-1) / 8**0.5)
    assert torch.allclose(
        found[:, :, 0], (weights[..., None] * values).sum(2) / weights.sum(-1, keepdim=True), atol=1e-6
    )


def test_each_sequence_is_answered_through_its_own_adapter() -> None:
    from bench.multi_lora import SIZES, Model

    model = Model(SIZES["tiny"], "cpu")
    with torch.inference_mode():
        x, caches = model.make(3, 64), model.caches(3, 32)
        together = model.step(x, caches, torch.tensor([2, 0, 1]))
        alone = [
            model.step(x[n : n + 1], [(k[n : n + 1], v[n : n + 1]) for k, v in caches], torch.tensor([adapter]))
            for n, adapter in enumerate((2, 0, 1))
        ]
        base = model.step(x, caches, None)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)
    assert not torch.allclose(together, base, atol=1e-3)


def test_it_measures_every_batch_with_and_without_adapters() -> None:
    from bench.multi_lora import SIZES, measure

    result = measure(SIZES["tiny"], "cpu")
    assert [(p["batch"], p["adapters"], p["context"]) for p in result["points"]] == [
        (1, 0, 32), (1, 1, 32), (1, 0, 128),
        (2, 0, 32), (2, 1, 32), (2, 2, 32), (2, 0, 128),
        (4, 0, 32), (4, 1, 32), (4, 4, 32), (4, 0, 128),
    ]  # fmt: skip
    assert [s["members"] for s in result["separate"]] == [1, 2, 4]
