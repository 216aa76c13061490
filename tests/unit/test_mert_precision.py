"""Rounded MERT: it needs a test on this machine, and what it makes is labelled as its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from mess_plugin.encoders import mert
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mert import encoder, linear, precision
from mess_plugin.encoders.mert.linear import MakeLinear
from mess_plugin.encoders.mert.precision import Agreement, agreement
from mess_plugin.encoders.mert.releases import Release
from mess_plugin.errors import ConfigError, EncoderError
from mess_plugin.model import Float32
from tests import mert_checkpoint
from tests.mert_checkpoint import music

CPU = torch.device("cpu")


@pytest.fixture
def release() -> Release:
    return mert_checkpoint.small(pre_norm=False)


@pytest.fixture
def options(tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch) -> EncoderOptions:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    mert_checkpoint.write_checkpoint(tmp_path / "weights", release)
    return EncoderOptions(weights=tmp_path / "weights", precision="int8")


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights on made-up chords say nothing about int8 on music: only the gate is tested."""
    monkeypatch.setattr(precision, "MIN_CENTRED_COSINE", 0.5)
    monkeypatch.setattr(precision, "MIN_OVERLAP", 0.5)


def vectors(n: int = 60, seed: int = 0) -> Float32:
    """Like a transformer's: all in nearly the same direction."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal((n, 32)) + 20.0, np.float32)


class TestAgreement:
    def test_equal_vectors_agree(self) -> None:
        found = agreement(vectors(), vectors())
        assert found.centred_cosine == pytest.approx(1.0, abs=1e-5)
        assert found.overlap == 1.0
        assert found.passes

    def test_noise_that_a_raw_cosine_would_let_pass(self) -> None:
        exact = vectors()
        noise = np.random.default_rng(1).standard_normal(exact.shape).astype(np.float32)
        rounded = exact + 0.5 * noise
        raw = (exact * rounded).sum(axis=1) / (
            np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1)
        )
        assert raw.min() > 0.999, "a raw cosine would let this pass"
        found = agreement(exact, rounded)
        assert not found.passes
        assert found.overlap < 0.9

    def test_each_condition_counts(self) -> None:
        good = Agreement(n_windows=64, centred_cosine=0.995, overlap=0.97)
        assert good.passes
        assert not replace(good, n_windows=49).passes
        assert not replace(good, centred_cosine=0.98).passes
        assert not replace(good, overlap=0.94).passes

    def test_a_drift_of_all_vectors_is_no_loss(self) -> None:
        """A space of rounded vectors has a mean of its own, which takes it out again."""
        assert agreement(vectors(), vectors() + 1.0).passes
        drifts = np.linspace(0.0, 1.0, 60, dtype=np.float32)[:, None]
        assert not agreement(vectors(), vectors() + drifts).passes

    def test_too_few(self) -> None:
        with pytest.raises(ValueError, match="cannot compare"):
            agreement(vectors(10), vectors(10))


class TestGate:
    def test_untested_is_refused(self, release: Release, options: EncoderOptions) -> None:
        with pytest.raises(EncoderError, match="mess encoders test mert-95m --precision int8"):
            encoder.load(release, options)

    @pytest.mark.usefixtures("lenient")
    def test_tested_is_allowed_for_these_layers(
        self, release: Release, options: EncoderOptions
    ) -> None:
        row = mert.describe(release)
        assert row.test_precision
        said = row.test_precision(options, music(0.5, n=50))
        assert "50 windows" in said
        rounded = encoder.load(release, options)
        exact = encoder.load(release, replace(options, precision="fp32"))
        assert rounded.info.revision == f"{exact.info.revision}-int8"
        window = music(0.6)
        assert not np.array_equal(rounded.encode(window), exact.encode(window))
        np.testing.assert_allclose(rounded.encode(window), exact.encode(window), atol=0.6)
        with pytest.raises(EncoderError, match="was not tested"):
            encoder.load(release, replace(options, layers="1"))

    def test_a_failed_test_allows_nothing(
        self, release: Release, options: EncoderOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(precision, "MIN_OVERLAP", 1.01)
        with pytest.raises(EncoderError, match="does not agree with fp32"):
            encoder.test_precision(release, options, music(0.5, n=50))
        with pytest.raises(EncoderError, match="was not tested"):
            encoder.load(release, options)

    def test_wrong_requests(self, release: Release, options: EncoderOptions) -> None:
        with pytest.raises(EncoderError, match="50 are needed"):
            encoder.test_precision(release, options, music(0.5, n=3))
        with pytest.raises(ConfigError, match="it is exact"):
            encoder.test_precision(release, replace(options, precision="fp32"), music(0.5))
        with pytest.raises(ConfigError, match="choose one of fp32, bf16, int8"):
            encoder.load(release, replace(options, precision="fp16"))
        with pytest.raises(EncoderError, match="int8 is for the CPU"):
            precision.check(release.name, "int8", torch.device("cuda"))

    def test_bf16_only_where_the_processor_has_it(
        self, release: Release, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        with pytest.raises(EncoderError, match="does not multiply bfloat16"):
            precision.check(release.name, "bf16", CPU)
        precision.check(release.name, "bf16", torch.device("cuda"))


@pytest.mark.parametrize("make", [linear.int8, linear.int8_about_mean])
def test_int8_products(make: MakeLinear) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(48, 64, generator=generator) / 8
    bias = torch.randn(48, generator=generator)
    for x in (torch.randn(9, 64, generator=generator), torch.zeros(3, 64), torch.ones(2, 64)):
        kept = x.clone()
        exact = x @ weight.T
        torch.testing.assert_close(make(weight, bias, 100)(x), exact + bias, atol=0.06, rtol=0)
        torch.testing.assert_close(make(weight, None, 100)(x), exact, atol=0.06, rtol=0)
        assert torch.equal(x, kept)


def test_a_mean_is_multiplied_exactly() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(48, 64, generator=generator) / 8
    x = torch.randn(300, 64, generator=generator) + 30 * torch.randn(64, generator=generator)
    exact = (x @ weight.T).mean(dim=0)
    errors = [
        float((make(weight, None, 300)(x).mean(dim=0) - exact).abs().max())
        for make in (linear.int8_about_mean, linear.int8)
    ]
    assert errors[0] < 0.01
    assert errors[1] > 0.1
