"""Fine-tuning of MERT at the released size of its layers, with random weights and few steps."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("peft", reason="the extra 'tune'")

from mess_plugin.encoders.mert import weights
from mess_plugin.encoders.mert.releases import ADAPTER_FILES, MERT_95M, Architecture
from mess_plugin.errors import UsageError, WrongWeights
from mess_plugin.model import Float32
from mess_plugin.pretraining.tune import (
    Tuned,
    TuningPlan,
    _vectors,
    divided,
    hear,
    tied_groups,
    tune,
)
from tests import mert_checkpoint
from tests.audio_files import music, write_audio

N_GROUPS = 30
PAIRS = [(2 * n, 2 * n + 1) for n in range(N_GROUPS)]
TWO_LAYERS = Architecture(dim=768, depth=2, heads=12, feed_forward_dim=3072, pre_norm=False)
RELEASE = mert_checkpoint.fitted(MERT_95M, TWO_LAYERS)
"""The released one but for ten of its twelve equal layers."""
PLAN = TuningPlan(state=2, steps=8, pairs_a_step=4, rank=4, rate=3e-3)


def sounds() -> dict[int, Float32]:
    """Tracks of a pair share their chord and nothing else."""
    chords = mert_checkpoint.music(0.5, n=N_GROUPS, seed=5)
    rng = np.random.default_rng(1)
    found: dict[int, Float32] = {}
    for number, chord in enumerate(chords):
        for side in (0, 1):
            noise = rng.standard_normal((1, len(chord))) * 0.5 * chord.std()
            found[2 * number + side] = (chord + noise).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mert")
    torch.set_num_threads(1)
    mert_checkpoint.write_checkpoint(folder, RELEASE)
    return folder


@pytest.fixture(scope="module")
def tuned(directory: Path) -> Tuned:
    files = weights.find(RELEASE, directory)
    return tune(RELEASE, files, PAIRS, {}, sounds(), PLAN)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_loss_falls_and_the_trial_is_of_other_tracks(tuned: Tuned) -> None:
    trial = tuned.trial
    assert trial.last_loss < trial.first_loss - 0.05
    assert trial.n_groups == round(0.3 * N_GROUPS)
    assert trial.n_fitted == N_GROUPS - trial.n_groups
    assert 0 <= trial.before_right <= 1
    assert 0 <= trial.after_right <= 1
    assert trial.helps == (trial.certainty >= 2)


def test_the_adapters_are_all_that_changes(tuned: Tuned, directory: Path, tmp_path: Path) -> None:
    """Base weights stay bit-identical in memory and on disk; what is saved is small."""
    plain = mert_checkpoint.random_tensors(TWO_LAYERS)
    learned = [name for name, values in tuned.model.named_parameters() if values.requires_grad]
    assert len(learned) == 2 * 4 * TWO_LAYERS.depth
    assert all(".lora_" in name for name in learned)
    for name, values in tuned.model.named_parameters():
        base = name.removeprefix("base_model.model.").replace(".base_layer", "")
        if base in plain:
            assert torch.equal(values, plain[base]), name
    before = digest(directory / "pytorch_model.bin")
    tuned.save(tmp_path)
    assert digest(directory / "pytorch_model.bin") == before
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(ADAPTER_FILES)
    assert (tmp_path / ADAPTER_FILES[1]).stat().st_size < 1_000_000


def test_they_load_as_an_encoder_with_a_space_of_its_own(
    tuned: Tuned, directory: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "pytorch_model.bin"):
        (tmp_path / name).symlink_to(directory / name)
    windows = sounds()[0]
    plain = mert_checkpoint.load(RELEASE, tmp_path, "2")
    tuned.save(tmp_path)
    loaded = mert_checkpoint.load(RELEASE, tmp_path, "2")
    again = mert_checkpoint.load(RELEASE, tmp_path, "2")
    assert loaded.info.revision.startswith(f"{plain.info.revision}.lora-")
    frames = loaded.encode(windows)
    np.testing.assert_array_equal(frames, again.encode(windows))
    assert np.abs(frames - plain.encode(windows)).max() > 1e-2
    mean = frames.mean(axis=(0, 1))
    (wanted,) = _vectors(tuned.model, [windows])
    np.testing.assert_allclose(mean / np.linalg.norm(mean), wanted, rtol=0, atol=2e-4)


def test_adapters_that_do_not_fit(tuned: Tuned, directory: Path, tmp_path: Path) -> None:
    for name in ("config.json", "pytorch_model.bin"):
        (tmp_path / name).symlink_to(directory / name)
    tuned.save(tmp_path)
    config = tmp_path / ADAPTER_FILES[0]
    says = json.loads(config.read_text())
    for change, match in (({"use_dora": True}, "use_dora"), ({"r": 0}, "no adapter")):
        config.write_text(json.dumps({**says, **change}))
        with pytest.raises(WrongWeights, match=match):
            mert_checkpoint.load(RELEASE, tmp_path, "2")
    config.write_text(json.dumps(says))
    (tmp_path / ADAPTER_FILES[1]).write_bytes(b"cut short")
    with pytest.raises(WrongWeights, match="no adapter"):
        mert_checkpoint.load(RELEASE, tmp_path, "2")
    config.unlink()
    with pytest.raises(WrongWeights, match="no adapter"):
        mert_checkpoint.load(RELEASE, tmp_path, "2")


def test_artists_are_never_on_both_sides() -> None:
    artists = {0: "ann", 3: "ann", 5: "ben", 6: "ben", 20: None}
    groups = tied_groups(PAIRS, artists)
    assert groups[0] == groups[1] == groups[2] == groups[3]
    assert groups[4] == groups[7]
    fitted, held = divided(PAIRS, groups, seed=3)
    assert sorted([*fitted, *held]) == PAIRS
    assert not {groups[pair[0]] for pair in fitted} & {groups[pair[0]] for pair in held}
    with pytest.raises(UsageError, match="25 are needed"):
        divided(PAIRS[:20], tied_groups(PAIRS[:20], {}), seed=0)


def test_windows_of_a_file(tmp_path: Path) -> None:
    long = write_audio(tmp_path / "long.flac", music(31, 24_000, channels=1), 24_000)
    short = write_audio(tmp_path / "short.flac", music(2, 24_000, channels=1), 24_000)
    assert hear(long).shape == (4, 120_000)
    assert hear(short).shape == (1, 120_000)
