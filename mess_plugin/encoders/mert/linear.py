"""Matrix products on a CPU: the same map, computed by whichever library is faster here.

A product by plain torch calls MKL; oneDNN with weights packed in advance was measured 1.25 times as
fast on one AMD processor and may be slower on another, so `fastest_exact` times both. "bf16" and
"int8" round: their vectors belong to spaces of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F  # noqa: N812

Linear = Callable[[torch.Tensor], torch.Tensor]
"""(rows, n_in) float32 → (rows, n_out) float32, in memory of its own."""
MakeLinear = Callable[[torch.Tensor, torch.Tensor | None, int], Linear]
"""(n_out, n_in) weights, (n_out,) bias or None, the usual number of rows → the product."""

_TRIAL_SHAPE = (374, 768, 2304)  # rows, n_in, n_out: the query, key and value of one window
_TRIALS = 5


def plain(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Linear:  # noqa: ARG001
    """Torch's own product."""
    return lambda x: F.linear(x, weight, bias)


def packed(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Linear:
    """The product by oneDNN, with the weights reordered once for about `rows` rows."""
    blocks = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
    multiply = torch.ops.mkldnn._linear_pointwise.default
    return lambda x: multiply(x.contiguous(), blocks, bias, "none", [], "")


def bfloat16(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Linear:
    """The product by oneDNN with both factors rounded to bfloat16, summed in float32."""
    multiply = packed(weight.bfloat16(), None if bias is None else bias.bfloat16(), rows)
    return lambda x: multiply(x.bfloat16()).float()


def int8(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Linear:
    """The product of 8-bit integers: weights rounded per output, activations per call."""
    scale = weight.abs().amax(dim=1).clamp_min(1e-12) / 127.0
    integers = (weight / scale[:, None]).round().to(torch.int8)
    blocks = torch.ops.onednn.qlinear_prepack(integers, [rows, weight.shape[1]])
    zeros = torch.zeros(len(weight), dtype=torch.int32)
    multiply = torch.ops.onednn.qlinear_pointwise.default

    def product(x: torch.Tensor) -> torch.Tensor:
        low, high = (float(end) for end in x.aminmax())
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-12) / 255.0
        zero = round(-low / step)
        levels = (x * (1.0 / step)).round_().add_(zero).clamp_(0, 255).to(torch.uint8)
        result: torch.Tensor = multiply(
            levels, step, zero, blocks, scale, zeros, bias, 1.0, 0, torch.float32, "none", [], ""
        )
        return result

    return product


@cache
def fastest_exact() -> MakeLinear:
    """`plain` or `packed`, by a trial of some tenths of a second with the threads in force."""
    if not torch._C._has_mkldnn:
        return plain
    rows, n_in, n_out = _TRIAL_SHAPE
    x, weight = torch.ones(rows, n_in), torch.ones(n_out, n_in)
    with torch.inference_mode():
        made = {make: make(weight, torch.ones(n_out), rows) for make in (plain, packed)}
        durations = {make: _best_duration_s(product, x) for make, product in made.items()}
    return min(durations, key=durations.__getitem__)


def _best_duration_s(product: Linear, x: torch.Tensor) -> float:
    product(x)
    durations_s = []
    for _ in range(_TRIALS):
        start_s = time.perf_counter()
        product(x)
        durations_s.append(time.perf_counter() - start_s)
    return min(durations_s)
