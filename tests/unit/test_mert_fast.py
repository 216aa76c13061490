"""The fast CPU path against HubertModel: the same numbers, whatever multiplies the matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from mess_plugin.encoders.mert import encoder, fast, hubert, linear
from mess_plugin.encoders.mert.linear import MakeLinear, everywhere
from mess_plugin.encoders.mert.releases import MERT_95M, MERT_330M, Release
from mess_plugin.model import Float32
from tests import mert_checkpoint
from tests.mert_checkpoint import music

EXACT = (linear.plain, linear.packed)


@pytest.fixture(params=[False, True], ids=["post-norm", "pre-norm"])
def release(request: pytest.FixtureRequest) -> Release:
    return mert_checkpoint.small(pre_norm=request.param)


def tensors_of(release: Release) -> fast.Tensors:
    return hubert.checked(release, mert_checkpoint.random_tensors(release.architecture))


def waveforms(seconds: float, n: int = 1) -> torch.Tensor:
    return encoder.normalise(torch.from_numpy(music(seconds, n)))


def centred_cosines(ours: torch.Tensor, theirs: torch.Tensor) -> Float32:
    """Of the windows' mean frames, less the mean over windows, as retrieval compares them."""
    a, b = (states.mean(dim=1) - states.mean(dim=(0, 1)) for states in (ours, theirs))
    return np.asarray(torch.nn.functional.cosine_similarity(a, b).numpy())


@pytest.mark.parametrize("make", EXACT, ids=["plain", "packed"])
def test_every_choice_of_states(release: Release, make: MakeLinear) -> None:
    tensors, windows = tensors_of(release), waveforms(0.9, n=2)
    for states in ((0,), (1,), (3,), (4,), (0, 2), (1, 2, 3, 4)):
        ours = fast.build(release.architecture, tensors, states, everywhere(make))(windows)
        theirs = hubert.build(release.architecture, tensors, states)(windows)
        torch.testing.assert_close(ours, theirs, atol=5e-5, rtol=0, msg=str(states))


@pytest.mark.parametrize("n_samples", [12_000, 12_001, 12_319, 12_320, 50_000, 120_000, 131_111])
def test_every_length(release: Release, n_samples: int) -> None:
    """Tiles that end anywhere, and windows longer than the usual one."""
    tensors, windows = tensors_of(release), waveforms(6.0)[:, :n_samples]
    ours = fast.build(release.architecture, tensors, (2,), everywhere(linear.packed))(windows)
    theirs = hubert.build(release.architecture, tensors, (2,))(windows)
    assert ours.shape[1] == release.architecture.n_frames(n_samples)
    torch.testing.assert_close(ours, theirs, atol=5e-5, rtol=0)


def test_silence_and_loudness(release: Release) -> None:
    tensors = tensors_of(release)
    loud = waveforms(0.7) * 1e3
    for windows in (torch.zeros(1, 16_000), loud, loud * 1e-6):
        ours = fast.build(release.architecture, tensors, (4,), everywhere(linear.packed))(windows)
        theirs = hubert.build(release.architecture, tensors, (4,))(windows)
        torch.testing.assert_close(ours, theirs, atol=5e-4, rtol=0)


@pytest.mark.parametrize(
    "released",
    [
        mert_checkpoint.fitted(MERT_95M, replace(MERT_95M.architecture, depth=6)),
        mert_checkpoint.fitted(MERT_330M, replace(MERT_330M.architecture, depth=3)),
    ],
    ids=["95m", "330m"],
)
def test_exact_at_the_released_widths(released: Release) -> None:
    depth = released.architecture.depth
    tensors, windows = tensors_of(released), waveforms(1.0, n=4)
    ours = fast.build(released.architecture, tensors, (depth,), everywhere(linear.packed))(windows)
    theirs = hubert.build(released.architecture, tensors, (depth,))(windows)
    torch.testing.assert_close(ours, theirs, atol=5e-4, rtol=0)
    assert centred_cosines(ours, theirs).min() > 1 - 1e-5


def test_the_trial_picks_an_exact_product() -> None:
    assert linear.fastest_exact() in EXACT


@pytest.mark.parametrize(
    ("make", "tolerance"), [(linear.plain, 1e-5), (linear.packed, 1e-5), (linear.bfloat16, 0.02)]
)
def test_products(make: MakeLinear, tolerance: float) -> None:
    if make is linear.bfloat16 and not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("this processor has no bfloat16 products; MESS refuses them here")
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(48, 32, generator=generator) / 6
    bias = torch.randn(48, generator=generator)
    for rows in (1, 7, 200):
        x = torch.randn(rows, 2 * 32, generator=generator)[:, ::2]
        for offset in (None, bias):
            exact = x.double() @ weight.double().T + (0 if offset is None else offset.double())
            result = make(weight, offset, 100)(x)
            assert result.dtype == torch.float32
            torch.testing.assert_close(result.double(), exact, atol=tolerance, rtol=tolerance)
