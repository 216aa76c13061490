"""Matrix products on a CPU: the same map, computed by whichever library is faster here.

A product by plain torch calls MKL; oneDNN with weights packed in advance was measured 1.25 times as
fast on one AMD processor and may be slower on another, so `fastest_exact` times both. "bf16" and
"int8" round: their vectors belong to spaces of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import msgspec
import torch
import torch.nn.functional as F  # noqa: N812

Linear = Callable[[torch.Tensor], torch.Tensor]
"""(rows, n_in) float32 → (rows, n_out) float32, in memory of its own."""
MakeLinear = Callable[[torch.Tensor, torch.Tensor | None, int], Linear]
"""(n_out, n_in) weights, (n_out,) bias or None, the usual number of rows → the product."""


class Products(msgspec.Struct, frozen=True):
    """Who multiplies in the convolutions, where a call is a tile of a window, and who behind them."""

    convolution: MakeLinear
    layer: MakeLinear


def everywhere(make: MakeLinear) -> Products:
    """The same product in all places."""
    return Products(convolution=make, layer=make)


_TRIAL_SHAPE = (374, 768, 2304)  # rows, n_in, n_out: the query, key and value of one window
_TRIALS = 5
_LEVELS = 127  # 7 bits: see `int8`


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
    """The product of 8-bit integers, by oneDNN.

    A row is taken as low + step * levels, with a smallest value and a step of its own and levels from
    0 to 127. Weights are rounded per output.

    The eighth bit stays unused because processors without VNNI add two neighbouring products of
    bytes in 16 bits, where 255 * 127 * 2 does not fit and is cut off without a word.
    """
    scale = weight.abs().amax(dim=1).clamp_min(1e-12) / 127.0
    integers = (weight / scale[:, None]).round().to(torch.int8)
    blocks = torch.ops.onednn.qlinear_prepack(integers, [rows, weight.shape[1]])
    zeros = torch.zeros(len(weight), dtype=torch.int32)
    multiply = torch.ops.onednn.qlinear_pointwise.default
    sums = integers.sum(dim=1) * scale  # of the rounded: low and levels have to cancel each other

    def product(x: torch.Tensor) -> torch.Tensor:
        low = x.amin(dim=1, keepdim=True)  # `aminmax` along an axis measured ten times as slow
        step = (x.amax(dim=1, keepdim=True) - low).clamp_min_(1e-12).div_(_LEVELS)
        levels_per_unit = step.reciprocal()
        # The half makes a rounding of the cut that the conversion to integers is.
        levels = torch.addcmul(0.5 - low * levels_per_unit, x, levels_per_unit).to(torch.uint8)
        result: torch.Tensor = multiply(
            levels, 1.0, 0, blocks, scale, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        result.mul_(step).addcmul_(low, sums)
        return result if bias is None else result.add_(bias)

    return product


def int8_about_mean(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Linear:
    """`int8` of what remains of the rows of a call without their mean, which is multiplied exactly.

    To first order the mean over the rows, which is what is pooled from all this, then has no error,
    and the same channel being large in all rows costs no precision.
    """
    product = int8(weight, None, rows)
    offset = torch.zeros(len(weight)) if bias is None else bias

    def about_mean(x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(dim=0)
        return product(x - mean).add_(torch.addmv(offset, weight, mean))

    return about_mean


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
