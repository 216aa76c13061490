"""`mess tune` on a real library, with a small encoder of MERT's kind at random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("peft", reason="the extra 'tune'")

from mess_plugin.cli import tune as command
from mess_plugin.cli.main import cli as mess
from mess_plugin.config import Settings
from mess_plugin.encoders.mert.releases import ADAPTER_FILES
from mess_plugin.pretraining import tune as tuning
from mess_plugin.store import Store
from tests import mert_checkpoint
from tests.audio_files import music as made_music
from tests.audio_files import write_audio
from tests.stored_library import add_track, levels_of, raw_space

N_PAIRS = 26


def test_pairs_of_the_library(
    store: Store, settings: Settings, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = mert_checkpoint.small(pre_norm=False, depth=2)
    weights = tmp_path / "weights"
    weights.mkdir()
    mert_checkpoint.write_checkpoint(weights, release)
    monkeypatch.setattr(command, "RELEASES", (release,))
    monkeypatch.setenv("MESS_HOME", str(settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("MESS_WEIGHTS", str(weights))
    space, lines = raw_space(store), []
    for number in range(2 * N_PAIRS):
        sound = made_music(1, 24_000, channels=1, seed=number // 2)
        path = write_audio(music / f"{number}.flac", sound, 24_000)
        add_track(store, space, str(path), levels_of(number))
        lines.append(str(path))
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in zip(lines[::2], lines[1::2], strict=True)))

    def run(name: str, *more: str) -> tuple[int, str, str]:
        asked = ["tune", "mert-95m", "--pairs", str(pairs), "--name", name, "--steps", "2"]
        done = CliRunner().invoke(mess, [*asked, *more])
        return done.exit_code, done.stdout, str(done.exception)

    monkeypatch.setattr(tuning, "CERTAIN", float("inf"))
    code, text, _ = run("mine", "--json")
    assert code == 0
    refused = json.loads(text)
    assert (refused["helps"], refused["folder"]) == (False, None)
    assert refused["n_fitted"] + refused["n_groups"] == N_PAIRS
    assert not (settings.home / "tuned" / "mine" / "mert-95m").exists()

    monkeypatch.setattr(tuning, "CERTAIN", float("-inf"))
    code, text, _ = run("mine", "--json")
    folder = Path(json.loads(text)["folder"])
    kept = folder / "mert-95m"
    assert {one.name for one in kept.iterdir()} == {
        *ADAPTER_FILES, "config.json", "pytorch_model.bin",
    }  # fmt: skip
    plain, tuned = (mert_checkpoint.load(release, one, "1") for one in (weights, kept))
    assert tuned.info.revision != plain.info.revision

    assert "is there already" in run("mine")[2]
    assert "wanted 1 to 40 letters" in run("../mine")[2]
    monkeypatch.setenv("MESS_WEIGHTS", str(folder))
    assert "tune the plain weights" in run("again")[2]
    monkeypatch.setenv("MESS_WEIGHTS", str(weights))
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in zip(lines[:9], lines[9:18], strict=True)))
    assert "25 are needed" in run("few")[2]
