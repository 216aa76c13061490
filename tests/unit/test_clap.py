"""CLAP's audio tower with random weights, at the released architecture, against transformers' own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from mess_plugin import encoders
from mess_plugin.encoders.base import Encoder, EncoderOptions
from mess_plugin.encoders.clap import (
    COMMIT,
    CONSTANT,
    DIM,
    N_STATES,
    NAME,
    RATE_HZ,
    ClapEncoder,
)
from mess_plugin.errors import ConfigError, MissingWeights, WrongWeights
from mess_plugin.model import Float32

RELEASED = {
    "audio_config": {
        "fusion_num_hidden_layers": 2,
        "model_type": "clap_audio_model",
        "projection_hidden_size": 768,
    },
    "model_type": "clap",
    "projection_dim": 512,
}
"""What the released config.json says of the audio tower; the rest are the classes' defaults."""


def music(seconds: float, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in rng.uniform(100, 2000, 4))
    return np.asarray(0.1 * chord + 0.01 * rng.standard_normal(len(time_s)), np.float32)


@pytest.fixture(scope="module")
def model() -> ClapModel:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = ClapConfig(**{**RELEASED, "text_config": {"num_hidden_layers": 1, "vocab_size": 64}})
    return ClapModel(config).eval()


@pytest.fixture(scope="module")
def directory(model: ClapModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of both towers, as the released one is."""
    folder = tmp_path_factory.mktemp("clap")
    (folder / "config.json").write_text(json.dumps(RELEASED))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def encoder(directory: Path) -> Encoder:
    return encoders.load(NAME, EncoderOptions(weights=directory))


def test_the_mean_of_the_frames_is_what_clap_pools(encoder: Encoder, model: ClapModel) -> None:
    sound = music(10.0)
    extract = ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation="rand_trunc")
    features = extract(sound, sampling_rate=RATE_HZ, return_tensors="pt")
    with torch.inference_mode():
        wanted = model.audio_model(input_features=features["input_features"]).pooler_output[0]
    frames = encoder.encode(sound[None])
    assert frames.shape == (1, 32, DIM)
    assert frames.dtype == np.float32
    mean = frames[0].mean(0)
    np.testing.assert_allclose(mean[:N_STATES], wanted.numpy(), rtol=0, atol=2e-4)
    assert (frames[..., N_STATES:] == CONSTANT).all()


def test_the_spectrogram_is_that_of_the_released_preprocessor(encoder: Encoder) -> None:
    assert isinstance(encoder, ClapEncoder)
    sound = music(10.0, seed=1)
    extract = ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation="rand_trunc")
    wanted = extract(sound, sampling_rate=RATE_HZ)["input_features"][0]
    found = encoder.log_mel(torch.from_numpy(sound)).numpy()
    np.testing.assert_allclose(found, np.squeeze(wanted), rtol=0, atol=2e-2)


def test_short_sound_is_repeated_and_keeps_the_frames_of_one_pass(encoder: Encoder) -> None:
    short = music(2.5)
    frames = encoder.encode(short[None])
    assert frames.shape == (1, 8, DIM)
    whole = encoder.encode(np.tile(short, 4)[None])
    np.testing.assert_array_equal(frames[0], whole[0, :8])


def test_a_window_does_not_depend_on_its_neighbours(encoder: Encoder) -> None:
    windows = np.stack([music(10.0, seed) for seed in (1, 2)])
    np.testing.assert_array_equal(encoder.encode(windows)[1:], encoder.encode(windows[1:]))
    assert encoder.encode(windows[:0]).shape == (0, 0, DIM)


def test_description_and_label_agree(encoder: Encoder) -> None:
    row = encoders.describe(NAME)
    info = encoder.info
    assert (row.name, row.dim, row.rate_hz, row.licence) == (
        info.name, info.dim, info.rate_hz, info.licence,
    )  # fmt: skip
    assert len(COMMIT) == 40


def test_a_checkpoint_that_lacks_a_tensor(directory: Path, tmp_path: Path) -> None:
    tensors = torch.load(directory / "pytorch_model.bin", weights_only=True)
    del tensors["audio_model.audio_encoder.norm.weight"]
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps(RELEASED))
    with pytest.raises(WrongWeights, match=r"1 tensors are missing.*norm\.weight"):
        encoders.load(NAME, EncoderOptions(weights=tmp_path))


def test_code_in_a_checkpoint_is_not_run(directory: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "owned",)  # type: ignore[return-value]

    torch.save({"audio_model.x": Evil()}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text((directory / "config.json").read_text())
    with pytest.raises(WrongWeights, match="no plain file of tensors"):
        encoders.load(NAME, EncoderOptions(weights=tmp_path))
    assert not (tmp_path / "owned").exists()


def test_a_configuration_with_fusion_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").symlink_to(directory / "pytorch_model.bin")
    (tmp_path / "config.json").write_text('{"audio_config": {"enable_fusion": true}}')
    with pytest.raises(WrongWeights, match="enable_fusion"):
        encoders.load(NAME, EncoderOptions(weights=tmp_path))


def test_what_it_does_not_have(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no choice of layers"):
        encoders.load(NAME, EncoderOptions(weights=directory, layers="6"))
    with pytest.raises(ConfigError, match="only fp32"):
        encoders.load(NAME, EncoderOptions(weights=directory, precision="bf16"))
    with pytest.raises(MissingWeights, match=r"config\.json and pytorch_model\.bin"):
        encoders.load(NAME, EncoderOptions(weights=tmp_path))
