"""Sound of any length from the stated minimum up can be heard: every encoder and every facet.

A larger search than that of an ordinary run: `MESS_EXAMPLES=10000 pytest tests/unit/test_lengths.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mess_plugin import encoders
from mess_plugin.analysis.hierarchy import analyse
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.encoders.clap import ClapEncoder
from mess_plugin.encoders.mini.spectra import FRAME_SAMPLES, MELS_PER_FRAME, scaled_spectra
from mess_plugin.errors import AudioError
from mess_plugin.facets import Facet
from mess_plugin.facets.extract import hear_sound
from mess_plugin.model import Float32
from tests import mert_checkpoint
from tests.audio_files import music

EXAMPLES = int(os.environ.get("MESS_EXAMPLES", "200"))
SOUND = (
    music(11.0, 48_000, channels=1)[0]
    + np.random.default_rng(0).normal(0, 0.01, 11 * 48_000).astype(np.float32)
).astype(np.float32)


@pytest.fixture(scope="module")
def encoder_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    """Every encoder: those that ship as they are, the others with small random weights."""
    directory = tmp_path_factory.mktemp("mert")
    release = mert_checkpoint.small(pre_norm=False, depth=1)
    mert_checkpoint.write_checkpoint(directory, release)
    return {
        "descriptors": encoders.load("descriptors"),
        "mess-mini": encoders.load("mess-mini"),
        "mert": mert_checkpoint.load(release, directory, "1"),
        "clap": _small_clap(tmp_path_factory.mktemp("clap")),
    }


def _small_clap(directory: Path) -> Encoder:
    """CLAP's own path of the sound before a tower with eight channels; 64 states and the constant."""
    import torch
    from transformers import ClapAudioConfig, ClapAudioModel
    from transformers.audio_utils import mel_filter_bank

    torch.manual_seed(0)
    narrow = {"patch_embeds_hidden_size": 8, "depths": [1, 1, 1, 1], "hidden_size": 64}
    config = ClapAudioConfig(**narrow, num_attention_heads=[1, 1, 2, 4])
    (directory / "config.json").write_text(json.dumps(narrow))
    info = EncoderInfo("clap", "0", 48_000, 10.0, 10.0, 0.5, 65, "last", "mean", "none")
    filters = mel_filter_bank(513, 64, 50, 14_000, 48_000, "slaney", "slaney")
    model = ClapAudioModel(config).eval()
    return ClapEncoder(info, model, torch.device("cpu"), torch.from_numpy(filters).float())


def shortest(info: EncoderInfo) -> int:
    return round(info.min_s * info.rate_hz)


def longest(info: EncoderInfo) -> int:
    return round(info.window_s * info.rate_hz)


@pytest.mark.parametrize(
    ("name", "share"), [("mess-mini", 0.25), ("descriptors", 0.25), ("mert", 0.25), ("clap", 0.05)]
)
def test_an_encoder_takes_every_length(
    name: str, share: float, encoder_of: dict[str, Encoder]
) -> None:
    """share: of EXAMPLES, for one takes milliseconds and another a second."""
    encoder = encoder_of[name]
    low, high = shortest(encoder.info), longest(encoder.info)

    @settings(max_examples=max(1, round(share * EXAMPLES)), deadline=None)
    @given(st.integers(low, high))
    @example(low)
    @example(high)
    def check(n_samples: int) -> None:
        frames = encoder.encode(SOUND[None, :n_samples])
        assert frames.shape[::2] == (1, encoder.info.dim)
        assert frames.shape[1] >= 1
        assert np.isfinite(frames).all()

    check()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 255), st.integers(24, 600))
@example(253, 499)  # 127,997 samples, which once ended in "index can't contain negative values"
def test_the_spectra_of_mini_at_every_place_of_a_block(rest: int, blocks: int) -> None:
    """The low-pass works in blocks of 256 samples: every remainder, at many lengths."""
    n_samples = 256 * blocks + rest
    seen = scaled_spectra(SOUND[:n_samples])
    assert len(seen.mel) == n_samples // FRAME_SAMPLES * MELS_PER_FRAME


def test_the_end_beyond_the_last_block_changes_nothing_before_it() -> None:
    """A frame's spectra depend on the sound around it, not on how the length divides."""
    whole = scaled_spectra(SOUND[: 21 * FRAME_SAMPLES])
    for n_samples in range(127_990, 128_004):
        seen = scaled_spectra(SOUND[:n_samples])
        np.testing.assert_allclose(seen.mel[:-64], whole.mel[: len(seen.mel) - 64], atol=1e-5)
        np.testing.assert_allclose(seen.tones[:-16], whole.tones[: len(seen.tones) - 16], atol=1e-5)


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(st.integers(12_000, 264_000), st.sampled_from([24_000, 8_000, 44_100]))
@example(12_000, 24_000)
def test_every_facet_and_measure_takes_every_length(n_samples: int, rate_hz: int) -> None:
    sound: Float32 = SOUND[: round(n_samples * rate_hz / 24_000)]
    heard = hear_sound(sound, rate_hz)
    assert heard is not None
    assert set(heard.vectors) == set(Facet)
    for vector in heard.vectors.values():
        assert np.isfinite(vector).all()
    assert np.isfinite(heard.curve).all()
    measures = heard.measures
    for share in (measures.activity, measures.brightness, measures.drive):
        assert share is not None
        assert 0 <= share <= 1


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(st.integers(1, 5_999))
@example(5_999)
def test_what_is_too_short_is_never_said_to_be_as_long_as_the_minimum(n_samples: int) -> None:
    with pytest.raises(AudioError) as caught:
        analyse([SOUND[:n_samples]], encoders.load("mess-mini"), window_s=5, hop_s=2.5, source="a")
    assert caught.value.kind == "too-short"
    seconds = float(caught.value.reason.split()[1])
    assert seconds < 0.25
    assert seconds <= n_samples / 24_000
