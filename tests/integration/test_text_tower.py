"""Asking CLAP by text: its text tower with random weights against transformers' whole model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from msgspec.structs import replace
from transformers import ClapConfig, ClapModel, RobertaTokenizer

from mess_plugin.analysis.pooling import unit
from mess_plugin.cli.main import cli as mess
from mess_plugin.config import Settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.encoders.clap import CONSTANT, DIM, NAME, verify
from mess_plugin.encoders.clap_text import TextTower
from mess_plugin.errors import MissingWeights, UsageError, WrongWeights
from mess_plugin.model import Float32, Level, LevelVectors, Space
from mess_plugin.search import Filters
from mess_plugin.search.texts import find_described
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store
from mess_plugin.store.never import NeverRule
from tests.stored_library import add_track
from tests.stored_library import settings as plain_settings

N_TRACKS = 12
TEXTS = ("rain on a tin roof, slow piano", "Drums! 120 bpm… \u96e8", "word " * 200)
CONFIG = {
    "text_config": {"model_type": "clap_text_model", "num_hidden_layers": 2, "vocab_size": 320},
    "audio_config": {"model_type": "clap_audio_model", "projection_hidden_size": 768},
    "model_type": "clap",
    "projection_dim": 512,
}
"""The released one but for ten of the twelve equal layers and most of the words."""


@pytest.fixture(scope="module")
def model() -> ClapModel:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = ClapModel(ClapConfig(**CONFIG)).eval()
    with torch.no_grad():  # as drawn, all texts are nearly one, and no bias makes lengths matter
        for name, values in made.named_parameters():
            if name.startswith("audio_projection") and name.endswith("bias"):
                values.normal_()
            elif not name.startswith("audio_model") and values.dim() == 2:
                values.mul_(5)
    return made


@pytest.fixture(scope="module")
def weights(model: ClapModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the release has it: weights, configuration, byte-level BPE."""
    folder = tmp_path_factory.mktemp("clap")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    alphabet = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in alphabet]
    letters = [*map(chr, alphabet), *(chr(256 + place) for place in range(len(others)))]
    merges = ["r a", "i n", "ra in", "p i", "\u0120 p"]
    words = ["<s>", "<pad>", "</s>", "<unk>", *letters, *(one.replace(" ", "") for one in merges)]
    vocabulary = {word: place for place, word in enumerate([*words, "<mask>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    return folder


def states(model: ClapModel) -> Float32:
    """Means of states, of the lengths that trained towers give."""
    rng = np.random.default_rng(1)
    return (rng.standard_normal((N_TRACKS, 768)) * rng.uniform(0.2, 2, (N_TRACKS, 1))).astype("f4")


def by_transformers(model: ClapModel, weights: Path, text: str, means: Float32) -> Float32:
    """Cosines of the text and each sound, by the whole model's own parts."""
    tokenizer = RobertaTokenizer.from_pretrained(weights)
    tokens = tokenizer([text], return_tensors="pt", truncation=True, max_length=77)
    with torch.inference_mode():
        pooled = model.text_model(**tokens).pooler_output
        asked = torch.nn.functional.normalize(model.text_projection(pooled), dim=-1)
        heard = model.audio_projection(torch.from_numpy(means))
        return (torch.nn.functional.normalize(heard, dim=-1) @ asked[0]).numpy()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, weights: Path) -> Settings:
    return replace(
        plain_settings(tmp_path / "home", database_url=database_url), encoder=NAME, weights=weights
    )


def space_of(store: Store, settings: Settings, weights: Path, dim: int = DIM) -> Space:
    recipe = Recipe.of(settings)
    digest = verify(weights / "pytorch_model.bin", pinned=False)[:12]
    info = EncoderInfo(NAME, f"{digest}.2.x", 48_000, 10.0, 10.0, 0.5, dim, "last", "mean", "")
    return store.spaces.raw(str(recipe), info, dim, recipe.window_s, recipe.hop_s, "none")


@pytest.fixture
def library(store: Store, settings: Settings, model: ClapModel, weights: Path) -> Float32:
    """Songs as indexing stores them: mean frames at unit length, in 16 bits."""
    means = states(model)
    space = space_of(store, settings, weights)
    frames = np.pad(means, ((0, 0), (0, 1)), constant_values=CONSTANT)
    whole = np.array([[0, 30]], np.float32)
    for number, vector in enumerate(unit(frames)):
        vectors = LevelVectors(whole, vector[None], ("",))
        add_track(store, space, f"/m/{number:02}.flac", dict.fromkeys(Level, vectors))
    return means


def test_scores_are_those_of_the_whole_model(
    store: Store, settings: Settings, library: Float32, model: ClapModel, weights: Path
) -> None:
    for text in TEXTS:
        wanted = by_transformers(model, weights, " ".join(text.split()), library)
        for _ in range(2):  # loaded, then kept
            found = find_described(store, settings, text, k=N_TRACKS)
            scores = {one.track.path: one.similarity for one in found.matches}
            made = [scores[f"/m/{number:02}.flac"] for number in range(N_TRACKS)]
            np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-3)
            assert list(scores.values()) == sorted(scores.values(), reverse=True)
            assert found.n_compared == N_TRACKS
    one, other = (by_transformers(model, weights, text, library) for text in TEXTS[:2])
    assert np.abs(one - other).max() > 0.02, "the text makes a difference"


def test_a_text_of_before_needs_no_tower(
    store: Store, settings: Settings, library: Float32, tmp_path: Path
) -> None:
    before = find_described(store, settings, TEXTS[0])
    away = replace(settings, weights=tmp_path)
    assert find_described(store, away, TEXTS[0]) == before
    assert find_described(store, away, f"  {TEXTS[0]} ") == before
    with pytest.raises(MissingWeights):
        find_described(store, away, "another text")
    (kept,) = settings.home.glob("texts/*/*[0-9a-f].npz")
    kept.write_bytes(b"cut short")
    assert find_described(store, settings, TEXTS[0]) == before


def test_what_may_answer(store: Store, settings: Settings, library: Float32) -> None:
    everything = find_described(store, settings, TEXTS[0], k=N_TRACKS).matches
    first = everything[0].track
    store.never.add(None, {"exclude": [Path(str(first.path)).stem]}, ())
    assert [isinstance(one, NeverRule) for one in store.never.of(None)] == [True]
    left = find_described(store, settings, TEXTS[0], Filters(folder="/m"), k=N_TRACKS)
    assert left.n_never == N_TRACKS - 1
    assert [one.track.id for one in left.matches] == [first.id]
    assert find_described(store, settings, TEXTS[0], Filters(genre="none")).matches == ()


def test_what_cannot_be_asked(
    store: Store, settings: Settings, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="mess encoders use clap-htsat"):
        find_described(store, replace(settings, encoder="mess-mini"), "rain")
    with pytest.raises(UsageError, match="nothing is indexed yet"):
        find_described(store, settings, "rain")
    for text in ("", "  \0 ", "x" * 1001):
        with pytest.raises(UsageError, match="wanted 1 to 1000"):
            find_described(store, settings, text)
    with pytest.raises(UsageError, match="k is 0"):
        find_described(store, settings, "rain", k=0)
    space_of(store, settings, weights, dim=768)
    with pytest.raises(UsageError, match="could not ask by text"):
        find_described(store, settings, "rain")


def test_weights_that_are_not_those_of_the_library(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongWeights, match="not what the library was encoded with"):
        TextTower(weights, "0" * 12)
    partly = tmp_path / "partly"
    shutil.copytree(weights, partly, ignore=shutil.ignore_patterns("merges.txt"))
    with pytest.raises(MissingWeights, match=r"merges\.txt"):
        TextTower(partly, "")
    (partly / "merges.txt").write_text("no pair\nof known parts\n")
    with pytest.raises(WrongWeights, match="no tokenizer"):
        TextTower(partly, "")


def test_the_command(
    settings: Settings, library: Float32, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("MESS_ENCODER", NAME)
    monkeypatch.setenv("MESS_WEIGHTS", str(weights))
    runner = CliRunner()
    done = runner.invoke(mess, ["find", "--text", TEXTS[0], "--json", "-k", "3"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["compared"], len(document["tracks"])) == (N_TRACKS, 3)
    shown = runner.invoke(mess, ["find", "--text", TEXTS[0], "-k", "1"]).output
    assert f"{document['tracks'][0]['similarity']:.3f}" in shown
