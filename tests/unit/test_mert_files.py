"""MERT's files: the choice of layers, how a checkpoint may be spelt, how it may be wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import save_file

from mess_plugin.encoders import mert
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mert import checkpoint, weights
from mess_plugin.encoders.mert.layers import parse_layers, spell_layers
from mess_plugin.encoders.mert.releases import Release
from mess_plugin.errors import ConfigError, EncoderError, MissingWeights, WrongWeights
from tests import mert_checkpoint
from tests.mert_checkpoint import load, music


@pytest.fixture(params=[False, True], ids=["post-norm", "pre-norm"])
def release(request: pytest.FixtureRequest) -> Release:
    return mert_checkpoint.small(pre_norm=request.param)


@pytest.fixture
def directory(tmp_path: Path, release: Release) -> Path:
    mert_checkpoint.write_checkpoint(tmp_path, release)
    return tmp_path


class TestLayers:
    @pytest.mark.parametrize(
        ("spec", "states", "spelt"),
        [
            ("6", (6,), "6"),
            ("4-8", (4, 5, 6, 7, 8), "4-8"),
            ("6,7", (6, 7), "6-7"),
            ("9, 1,1", (1, 9), "1,9"),
            ("0-2,12", (0, 1, 2, 12), "0-2,12"),
        ],
    )
    def test_spellings(self, spec: str, states: tuple[int, ...], spelt: str) -> None:
        assert parse_layers(spec, 12) == states
        assert spell_layers(states) == spelt
        assert parse_layers(spelt, 12) == states

    @pytest.mark.parametrize("spec", ["", "13", "8-4", "-1", "six", "6;7", "6,", "1-2-3"])
    def test_nonsense(self, spec: str) -> None:
        with pytest.raises(ConfigError, match="layers"):
            parse_layers(spec, 12)


Damage = Callable[[dict[str, torch.Tensor]], None]


class TestWrongWeights:
    @pytest.mark.parametrize(
        ("damage", "says"),
        [
            (lambda t: t.pop("encoder.layers.1.layer_norm.bias"), r"encoder\.layers\.1\.layer_n"),
            (lambda t: t.update(head=torch.zeros(3)), "tensor head is unexpected"),
            (lambda t: t.update(masked_spec_embed=torch.zeros(3)), r"is \(3,\), expected \(64,\)"),
            (lambda t: t["encoder.layer_norm.bias"].fill_(math.nan), "not finite"),
            (
                lambda t: t.update(masked_spec_embed=torch.zeros(64, dtype=torch.int64)),
                "expected floating point",
            ),
        ],
        ids=["missing", "unexpected", "shape", "nan", "integers"],
    )
    def test_the_first_difference_is_named(
        self, release: Release, tmp_path: Path, damage: Damage, says: str
    ) -> None:
        tensors = mert_checkpoint.random_tensors(release.architecture)
        damage(tensors)
        mert_checkpoint.write_checkpoint(tmp_path, release, tensors)
        with pytest.raises(WrongWeights, match=says):
            load(release, tmp_path)

    def test_counts_must_be_the_released_ones(self, release: Release, directory: Path) -> None:
        with pytest.raises(WrongWeights, match="the release has"):
            load(replace(release, n_values=release.n_values + 1), directory)

    @pytest.mark.parametrize(
        ("key", "value"),
        [("feature_extractor_cqt", True), ("deepnorm", True), ("num_hidden_layers", 3)],
    )
    def test_another_config(
        self, release: Release, directory: Path, key: str, value: object
    ) -> None:
        config = directory / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {key: value}))
        with pytest.raises(WrongWeights, match=f"{key} = {value!r}"):
            load(release, directory)

    @pytest.mark.parametrize("content", ["", "{", "[]"])
    def test_a_config_that_is_none(self, release: Release, directory: Path, content: str) -> None:
        (directory / "config.json").write_text(content)
        with pytest.raises(WrongWeights, match=r"config\.json"):
            load(release, directory)

    @pytest.mark.parametrize("content", [b"", b"<html>login</html>", b"PK\x03\x04 cut off"])
    def test_a_file_that_is_no_checkpoint(
        self, release: Release, directory: Path, content: bytes
    ) -> None:
        (directory / "pytorch_model.bin").write_bytes(content)
        with pytest.raises(WrongWeights, match=r"pytorch_model\.bin"):
            load(release, directory)

    def test_a_pickle_with_code_is_not_run(self, release: Release, directory: Path) -> None:
        trap = directory / "ran"
        torch.save({"weight": _Trap(trap)}, directory / "pytorch_model.bin")
        with pytest.raises(WrongWeights, match="not a plain file of tensors"):
            load(release, directory)
        assert not trap.exists()

    def test_a_checksum_that_differs(self, release: Release, directory: Path) -> None:
        files = weights.find(release, directory)
        pinned = replace(release, weight_sha256="0" * 64)
        with pytest.raises(WrongWeights, match="SHA-256"):
            weights.verify(pinned, replace(files, expected_sha256="0" * 64))
        pinned = replace(pinned, weight_bytes=7)
        with pytest.raises(WrongWeights, match="the release has 7"):
            weights.verify(pinned, replace(files, expected_sha256="0" * 64))


class _Trap:
    """Unpickling this carelessly creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


class TestFiles:
    def test_other_spellings_give_the_same_frames(self, release: Release, directory: Path) -> None:
        windows = music(0.5)
        expected = load(release, directory).encode(windows)
        tensors = mert_checkpoint.random_tensors(release.architecture)
        modern = checkpoint.rename(tensors)
        assert set(modern) != set(tensors)
        for prefix, spelling in (("", modern), ("hubert.", tensors), ("module.mert.", modern)):
            named = {f"{prefix}{name}": tensor for name, tensor in spelling.items()}
            torch.save(named, directory / "pytorch_model.bin")
            np.testing.assert_array_equal(load(release, directory).encode(windows), expected)

    def test_safetensors_and_half_precision(self, release: Release, directory: Path) -> None:
        windows = music(0.5)
        expected = load(release, directory).encode(windows)
        (directory / "pytorch_model.bin").unlink()
        tensors = mert_checkpoint.random_tensors(release.architecture)
        save_file(tensors, directory / "model.safetensors")
        np.testing.assert_array_equal(load(release, directory).encode(windows), expected)
        halves = {name: tensor.half() for name, tensor in tensors.items()}
        save_file(halves, directory / "model.safetensors")
        np.testing.assert_allclose(load(release, directory).encode(windows), expected, atol=0.05)

    def test_other_weights_have_another_revision(self, release: Release, directory: Path) -> None:
        first = load(release, directory).info.revision
        assert load(release, directory).info.revision == first
        changed = mert_checkpoint.random_tensors(release.architecture, seed=1)
        mert_checkpoint.write_checkpoint(directory, release, changed)
        assert load(release, directory).info.revision != first

    def test_an_empty_directory(self, release: Release, tmp_path: Path) -> None:
        with pytest.raises(MissingWeights, match=r"must hold config\.json and pytorch_model\.bin"):
            load(release, tmp_path / "nowhere")

    def test_missing_libraries(self, release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "_LIBRARIES", ("a_library_that_is_not_there",))
        state = weights.weights_state(release)
        assert not state.ready
        assert "pip install 'mess-plugin[mert]'" in state.detail
        with pytest.raises(EncoderError, match="whl/cpu"):
            mert.describe(release).load(EncoderOptions())
