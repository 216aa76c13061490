"""MERT at random weights against an independent computation of every state."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from transformers import Wav2Vec2FeatureExtractor

from mess_plugin.encoders import base
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mert import checkpoint, encoder, hubert
from mess_plugin.encoders.mert.layers import parse_layers
from mess_plugin.encoders.mert.releases import MERT_95M, MERT_330M, RATE_HZ, RELEASES, Release
from mess_plugin.errors import EncoderError
from mess_plugin.model import Float32
from tests import mert_checkpoint, mert_reference
from tests.mert_checkpoint import load, music

EXACT = 2e-4  # float32 rounding over a few layers, on states of order 1


@pytest.fixture(params=[False, True], ids=["post-norm", "pre-norm"])
def release(request: pytest.FixtureRequest) -> Release:
    return mert_checkpoint.small(pre_norm=request.param)


@pytest.fixture
def directory(tmp_path: Path, release: Release) -> Path:
    mert_checkpoint.write_checkpoint(tmp_path, release)
    return tmp_path


def reference(release: Release, windows: Float32) -> list[Float32]:
    """Every state of every window in float64: depth + 1 times (n, n_frames, dim)."""
    tensors = mert_checkpoint.random_tensors(release.architecture)
    wide = {name: tensor.double() for name, tensor in tensors.items()}
    of_windows = [
        mert_reference.hidden_states(wide, release.architecture, torch.from_numpy(w).double())
        for w in windows
    ]
    return [torch.stack(s).float().numpy() for s in zip(*of_windows, strict=True)]


class TestStates:
    def test_each_state_equals_the_reference(self, release: Release, directory: Path) -> None:
        windows = music(1.0, n=2)
        for state, expected in enumerate(reference(release, windows)):
            frames = load(release, directory, str(state)).encode(windows)
            np.testing.assert_allclose(frames, expected, atol=EXACT, err_msg=f"state {state}")

    def test_each_state_of_the_plain_model(self, release: Release) -> None:
        windows = music(1.0, n=2)
        tensors = hubert.checked(release, mert_checkpoint.random_tensors(release.architecture))
        waveforms = encoder.normalise(torch.from_numpy(windows))
        for state, expected in enumerate(reference(release, windows)):
            frames = hubert.build(release.architecture, tensors, (state,))(waveforms).numpy()
            np.testing.assert_allclose(frames, expected, atol=EXACT, err_msg=f"state {state}")

    def test_a_mix_is_the_mean_of_its_states(self, release: Release, directory: Path) -> None:
        windows = music(0.6)
        states = reference(release, windows)
        for spec, chosen in (("1,3", (1, 3)), ("2-4", (2, 3, 4)), ("0-4", range(5))):
            frames = load(release, directory, spec).encode(windows)
            expected = np.mean([states[i] for i in chosen], axis=0)
            np.testing.assert_allclose(frames, expected, atol=EXACT, err_msg=spec)

    def test_95m_at_its_released_size(self, tmp_path: Path) -> None:
        released = replace(MERT_95M, weight_bytes=None, weight_sha256=None)
        tensors = mert_checkpoint.write_checkpoint(tmp_path, released)
        assert len(tensors) == 211
        assert sum(tensor.numel() for tensor in tensors.values()) == 94_371_712
        windows = music(1.0)
        states = mert_reference.hidden_states(
            tensors, released.architecture, torch.from_numpy(windows[0])
        )
        for spec in ("6", "12", "0-12"):
            chosen = parse_layers(spec, 12)
            frames = load(released, tmp_path, spec).encode(windows)
            expected = torch.stack([states[i] for i in chosen]).mean(dim=0).numpy()
            np.testing.assert_allclose(frames[0], expected, atol=2e-3, err_msg=spec)
            assert frames.shape == (1, 74, 768)

    def test_330m_at_its_released_width(self, tmp_path: Path) -> None:
        narrow = mert_checkpoint.fitted(MERT_330M, replace(MERT_330M.architecture, depth=2))
        mert_checkpoint.write_checkpoint(tmp_path, narrow)
        windows = music(0.5)
        for state, expected in enumerate(reference(narrow, windows)):
            frames = load(narrow, tmp_path, str(state)).encode(windows)
            np.testing.assert_allclose(frames, expected, atol=1e-3, err_msg=f"state {state}")

    @pytest.mark.parametrize("released", RELEASES, ids=lambda r: r.name)
    def test_released_keys_map_one_to_one(self, released: Release) -> None:
        shapes = dict(mert_checkpoint.released_shapes(released.architecture))
        empty = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        expected = hubert.expected_shapes(released.architecture)
        checkpoint.check_tensors(released, checkpoint.rename(empty), expected)
        assert len(empty) == released.n_tensors


class TestEncode:
    def test_the_shape_of_five_seconds(self, release: Release, directory: Path) -> None:
        loaded = load(release, directory)
        windows = music(loaded.info.window_s)
        assert windows.shape == (1, 120_000)
        assert loaded.encode(windows).shape == (1, 374, loaded.info.dim)
        assert release.architecture.n_frames(120_000) == 374

    def test_a_window_does_not_feel_its_neighbours(self, release: Release, directory: Path) -> None:
        loaded = load(release, directory)
        windows = music(0.7, n=3)
        alone = np.concatenate([loaded.encode(window[None]) for window in windows])
        loaded.batch_size = 3
        np.testing.assert_allclose(loaded.encode(windows), alone, atol=1e-5)

    def test_gain_and_offset_do_not_matter(self, release: Release, directory: Path) -> None:
        loaded = load(release, directory)
        windows = music(0.6)
        changed = loaded.encode(windows * np.float32(0.05) + np.float32(0.1))
        np.testing.assert_allclose(changed, loaded.encode(windows), atol=5e-3)

    def test_empty_silent_and_short(self, release: Release, directory: Path) -> None:
        loaded = load(release, directory)
        assert loaded.encode(np.zeros((0, 120_000), np.float32)).shape == (0, 0, 64)
        assert np.isfinite(loaded.encode(np.zeros((1, 12_000), np.float32))).all()
        with pytest.raises(EncoderError, match="11999 samples: 12000 are needed"):
            loaded.encode(np.zeros((1, 11_999), np.float32))
        with pytest.raises(EncoderError, match="2-d"):
            loaded.encode(np.zeros(12_000, np.float32))

    def test_normalisation_is_the_published_one(self) -> None:
        windows = music(1.0, n=2)
        published = Wav2Vec2FeatureExtractor(sampling_rate=RATE_HZ, do_normalize=True)
        expected = published(list(windows), sampling_rate=RATE_HZ, return_tensors="np")
        ours = encoder.normalise(torch.from_numpy(windows)).numpy()
        np.testing.assert_allclose(ours, expected["input_values"], atol=2e-5)

    def test_the_label(self, release: Release, directory: Path) -> None:
        info = load(release, directory, "3,2").info
        assert (info.name, info.layers, info.pooling) == (release.name, "2-3", "mean")
        assert (info.rate_hz, info.window_s, info.licence) == (24_000, 5.0, "CC-BY-NC-4.0")
        assert len(info.revision) == 12


class TestMemory:
    """Running out of GPU memory, with a forward pass that fails as torch does."""

    @staticmethod
    def scarce(release: Release, directory: Path, room: int) -> encoder.MertEncoder:
        loaded = load(release, directory)
        whole = loaded.forward

        def forward(waveforms: torch.Tensor) -> torch.Tensor:
            if len(waveforms) > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return whole(waveforms)

        return dataclasses.replace(loaded, forward=forward, batch_size=8)

    def test_the_batch_is_halved_loudly(
        self, release: Release, directory: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        windows = music(0.5, n=7)
        scarce = self.scarce(release, directory, room=2)
        with caplog.at_level(logging.WARNING):
            frames = scarce.encode(windows)
        np.testing.assert_allclose(frames, load(release, directory).encode(windows), atol=1e-5)
        assert scarce.batch_size == 1
        assert "out of memory with 7 windows at a time; going on with 3" in caplog.text

    def test_no_room_for_one_window(self, release: Release, directory: Path) -> None:
        with pytest.raises(EncoderError, match="too little memory for one window"):
            self.scarce(release, directory, room=0).encode(music(0.5))


class TestDevice:
    def test_a_missing_gpu_is_an_error_and_no_fallback(
        self, release: Release, directory: Path
    ) -> None:
        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
        with pytest.raises(EncoderError, match="finds no CUDA GPU"):
            encoder.load(release, EncoderOptions(device="cuda", weights=directory))
        auto = encoder.load(release, EncoderOptions(device="auto", weights=directory))
        assert auto.device.type == "cpu"

    def test_an_unknown_device(self, release: Release) -> None:
        with pytest.raises(EncoderError, match="choose cpu, cuda or auto"):
            encoder.choose_device(release, "gpu")

    def test_bfloat16_stays_close(self, release: Release, directory: Path) -> None:
        loaded = load(release, directory)
        windows = music(0.8, n=4)
        tensors = hubert.checked(release, mert_checkpoint.random_tensors(release.architecture))
        plain = hubert.build(release.architecture, tensors, (2,))
        assert plain.model.config._attn_implementation == "sdpa"
        rounded = dataclasses.replace(loaded, forward=encoder._in_bfloat16(plain))
        exact, close = loaded.encode(windows), rounded.encode(windows)
        pooled = [frames.mean(axis=1) - frames.mean(axis=(0, 1)) for frames in (exact, close)]
        cosines = (pooled[0] * pooled[1]).sum(axis=1) / np.prod(
            [np.linalg.norm(p, axis=1) for p in pooled], axis=0
        )
        assert cosines.min() > 0.99
        assert not np.array_equal(exact, close)


def test_descriptions_load_nothing_heavy() -> None:
    code = (
        "import sys; from mess_plugin import encoders; known = encoders.descriptions(); "
        "assert {'mert-95m', 'mert-330m'} <= set(known), known; "
        "heavy = {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_it_is_an_encoder(release: Release, directory: Path) -> None:
    loaded: base.Encoder = load(release, directory)
    assert loaded.projections == {}
