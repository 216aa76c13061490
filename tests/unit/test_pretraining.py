"""The training recipe, on seconds of sound."""

from __future__ import annotations

import json
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

torch = pytest.importorskip("torch")

from mess_plugin import encoders  # noqa: E402
from mess_plugin.encoders.base import Encoder, EncoderOptions  # noqa: E402
from mess_plugin.encoders.mini.network import MiniNet as NumpyNet  # noqa: E402
from mess_plugin.encoders.mini.spectra import level_gain, scaled_spectra, spectra  # noqa: E402
from mess_plugin.errors import UsageError  # noqa: E402
from mess_plugin.evaluation.codec import through_codec  # noqa: E402
from mess_plugin.evaluation.listing import read_listing  # noqa: E402
from mess_plugin.pretraining import train as training  # noqa: E402
from mess_plugin.pretraining.__main__ import TERMS, main, without_parts  # noqa: E402
from mess_plugin.pretraining.augment import Augment, Batch, Strength, mix  # noqa: E402
from mess_plugin.pretraining.checkpoint import TABLE_MAGIC, read_checkpoint  # noqa: E402
from mess_plugin.pretraining.codec_copies import prepare_coded  # noqa: E402
from mess_plugin.pretraining.data import Collection, Place, Sampler  # noqa: E402
from mess_plugin.pretraining.losses import Heads, LossWeights, contrast_loss  # noqa: E402
from mess_plugin.pretraining.network import N_STEM, Stem, TrainableMiniNet  # noqa: E402
from mess_plugin.pretraining.prepare import prepare  # noqa: E402
from mess_plugin.pretraining.projection import ProjectionRecipe, Samples, fit  # noqa: E402
from mess_plugin.pretraining.targets import assign, cluster  # noqa: E402
from mess_plugin.pretraining.teachers import MusiCNNTeacher  # noqa: E402

RATE_HZ = 24_000
STILL = Strength(often=0.0)


def melody(seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    pitches = 220 * 2 ** (rng.integers(0, 24, int(seconds * 4) + 1) / 12)
    tone = np.sin(2 * np.pi * np.cumsum(pitches[(t * 4).astype(int)]) / RATE_HZ)
    return (0.3 * tone * np.exp(-4 * (t % 0.25)) + 0.003 * rng.standard_normal(n)).astype(
        np.float32
    )


def as_batch(*waveforms: np.ndarray) -> Batch:
    seen = [spectra(w) for w in waveforms]
    return Batch(
        torch.from_numpy(np.stack([s.mel for s in seen])),
        torch.from_numpy(np.stack([s.tones for s in seen])),
    )


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A list and a folder: five recordings of three albums, one of them not sound at all."""
    folder = tmp_path_factory.mktemp("music")
    rows = ["album\ttrack\tpackage\tartist_id\tmixed\teval_role\trobustness"]
    for number in range(4):
        samples = (melody(6.0, number) * 32767).astype("<i2")
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, RATE_HZ, len(samples), "NONE", ""))
            file.writeframes(samples.tobytes())
        rows.append(f"album{number // 2}\t{number}.wav\tp\tartist{number // 2}\t0\tq\t0")
    (folder / "broken.wav").write_bytes(b"RIFF of nothing")
    rows.append("album9\tbroken.wav\tp\tartist9\t0\td\t0")
    listing = folder / "list.tsv"
    listing.write_text("\n".join(rows) + "\n", "utf-8")
    return listing, folder


@pytest.fixture(scope="module")
def collection(music: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("spectra")
    names = [f"{i}.wav" for i in range(4)]
    prepare([music[1] / n for n in names], ["a", "a", "b", "b"], folder)
    return Collection(folder)


def test_network_in_numpy_equals_the_one_in_torch() -> None:
    torch.manual_seed(3)
    net = TrainableMiniNet(layers=2).eval()
    for parameter in net.parameters():  # normalisation factors of both signs among them
        torch.nn.init.normal_(parameter, std=0.15)
    seen = spectra(melody(4.0, 1))
    with torch.no_grad():
        stem, trunk = net(torch.from_numpy(seen.mel)[None], torch.from_numpy(seen.tones)[None])
    expected = torch.cat([stem, trunk], 2)[0].numpy()
    found = NumpyNet({k: v.numpy() for k, v in net.state_dict().items()})(seen)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_stored_spectra_equal_those_of_the_encoder(collection: Collection) -> None:
    mel, tones = collection.window(Place(0, 4, 16), 16)
    heard = spectra(melody(6.0, 0)[4 * 6000 : 20 * 6000])
    inner = slice(16, -16)  # beyond the window, stored spectra heard more music
    np.testing.assert_allclose(mel[inner], heard.mel[inner], atol=0.05)
    np.testing.assert_allclose(tones[4:-4], heard.tones[4:-4], atol=0.1)


def test_noise_in_spectra_has_the_colour_of_noise_in_the_waveform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = melody(6.0, 2)
    noise = np.random.default_rng(0).standard_normal(len(here)).astype(np.float32)
    noise *= here.std() / noise.std()
    loud = scaled_spectra((here + noise) * np.float32(level_gain(here)))
    augment = Augment(replace(STILL, snr_db=(0.0, 0.0)), torch.Generator().manual_seed(0))
    monkeypatch.setattr(augment, "touched", lambda n: torch.ones(n, dtype=torch.bool))
    augment.noises = [n[:1].repeat(len(n), 1) for n in augment.noises]  # white alone
    batch = as_batch(here)
    powers = [(10**x - 1) / 1e4 for x in (batch.mel, batch.tones)]
    mel, tones = (torch.log10(1 + 1e4 * p)[0].numpy() for p in augment.noise(powers))
    for found, heard in ((mel, loud.mel), (tones, loud.tones)):
        difference = found.mean(0) - heard.mean(0)
        assert difference.std() < 0.1  # the same in all bands …
        assert 0 < difference.mean() < 0.8  # … and up to 8 dB louder: see `Strength.snr_db`


def test_transposition_moves_the_semitones(monkeypatch: pytest.MonkeyPatch) -> None:
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    batch = as_batch(np.sin(2 * np.pi * 440 * t).astype(np.float32))
    powers = [(10**x - 1) / 1e4 for x in (batch.mel, batch.tones)]
    augment = Augment(replace(STILL, often=1.0, semitones=2.0), torch.Generator())
    monkeypatch.setattr(augment, "uniform", lambda n, _low, high: torch.full((n,), high))
    _, tones = augment.transpose(powers)
    assert int(tones[0].mean(0).argmax()) == int(powers[1][0].mean(0).argmax()) + 2


def test_without_changes_nothing_changes() -> None:
    batch = as_batch(melody(2.0, 0))
    same = Augment(replace(STILL, equaliser_db=0.0), torch.Generator())(batch)
    torch.testing.assert_close(same.mel, batch.mel, atol=2e-3, rtol=0)
    torch.testing.assert_close(same.tones, batch.tones, atol=2e-3, rtol=0)


def test_mixing_adds_power() -> None:
    batch = as_batch(melody(2.0, 0))
    doubled = mix(batch, batch, torch.tensor([0.0]))
    expected = torch.log10(2 * 10**batch.mel - 1)
    torch.testing.assert_close(doubled.mel, expected, atol=1e-3, rtol=0)


def test_clusters_keep_separated_groups_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = middles.repeat(50, 1) + 0.1 * torch.randn(150, 2, generator=generator)
    labels = assign(points, cluster(points, 9, generator)).view(50, 3)
    groups = [set(labels[:, i].tolist()) for i in range(3)]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_contrast_prefers_pairs_and_tolerates_albums() -> None:
    torch.manual_seed(0)
    first = torch.randn(6, 16)
    albums = ["a", "a", "b", "b", "c", "c"]

    def loss(second: Any, album_weight: float, here: Any = first) -> Any:
        return contrast_loss(torch.stack([here, second]), albums, album_weight)

    assert loss(first, 0.0) < loss(first.roll(1, 0), 0.0)
    alike = first.clone()
    alike[1::2] = alike[::2]  # album mates sound the same
    assert loss(alike, 1.0, alike) < loss(first, 1.0)


def test_local_term_tells_a_part_from_others_of_its_recording() -> None:
    torch.manual_seed(0)
    heads = Heads(16, 1, 4)
    here, far = torch.randn(2, 4, 24, 16).unbind()
    again = here + 0.01 * torch.randn_like(here)
    right = heads.local_loss(here, again, far)
    assert right < heads.local_loss(here, again.roll(8, 1), far)  # another part of the window
    assert right < heads.local_loss(far, again, here)  # a part of the far window
    assert right < heads.local_loss(here, again, here)  # far windows that repeat it are harder


def test_far_places_leave_a_window_between(collection: Collection) -> None:
    sampler = Sampler(collection, [0, 1, 2, 3], n_frames=4, seed=0)
    for _ in range(5):
        for first, far in zip(*sampler.draw(3, 0.1), strict=True):
            assert first.track == far.track
            assert abs(first.start - far.start) >= 4
            start, end = collection.offsets[far.track : far.track + 2]
            assert start <= far.start
            assert far.start + far.n_source <= end


def test_a_frozen_first_layer_computes_the_same() -> None:
    torch.manual_seed(1)
    stem = Stem()
    for parameter in stem.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    mel = torch.rand(2, 32, 96)
    expected = stem(mel)
    stem.freeze_front()
    torch.testing.assert_close(stem(mel), expected, rtol=1e-3, atol=1e-3)
    assert not any(p.requires_grad for p in stem.front.parameters())


def test_a_longer_recording_gives_its_middle(music: tuple[Path, Path], tmp_path: Path) -> None:
    prepare([music[1] / "0.wav"], ["a"], tmp_path, longest_s=2.0)
    short = Collection(tmp_path)
    heard = scaled_spectra(melody(6.0, 0)[2 * RATE_HZ : 4 * RATE_HZ])
    assert short.offsets.tolist() == [0, 8]
    mel = short.mel.reshape(-1, 96)[16:-16].astype(np.float32)
    level = np.median(mel - heard.mel[16:-16])  # every recording is brought to its own level
    np.testing.assert_allclose(mel, heard.mel[16:-16] + level, atol=0.3)


def test_projection_forgets_what_differs_within_albums() -> None:
    rng = np.random.default_rng(0)
    n = 120
    identity, nuisance = rng.standard_normal((n // 4, 3)).repeat(4, 0), rng.standard_normal((n, 3))
    clean = np.concatenate([identity, 4 * nuisance], axis=1)
    changed = clean[:, None] + 0.1 * rng.standard_normal((n, 2, 6))
    albums = np.repeat([f"album{i}" for i in range(n // 4)], 4)
    samples = Samples(clean, changed, albums, (6,))
    projection = fit(samples, ProjectionRecipe((1.0,), 1.0, 0.1, 0.0, 0.01, width=3))
    vectors = (clean - projection.mean) @ projection.matrix
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    same = albums[:, None] == albums
    similarity = vectors @ vectors.T
    assert similarity[same].mean() > similarity[~same].mean() + 0.5


def test_the_teacher_of_the_shipped_weights_is_the_stem_that_starts_from_it(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(2)
    given = Stem()

    def inherit(stem: Stem, _: object) -> None:
        stem.load_state_dict(given.state_dict())

    monkeypatch.setattr(Stem, "inherit", inherit)
    taught = MusiCNNTeacher(None).listen(collection, 1, Path("never opened"))  # type: ignore[arg-type]
    assert taught.shape == (24, N_STEM)
    mel, _ = collection.window(Place(1, 24, 24), 24)
    with torch.no_grad():
        heard = given(torch.from_numpy(mel)[None])[0].unflatten(1, (24, -1)).mean(2).T
    np.testing.assert_allclose(taught, heard, atol=5e-3)


def test_mert_teaches_the_small_encoder(
    music: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--teacher mert-95m` from the command line, with random weights of MERT's architecture."""
    from tests import mert_checkpoint

    release = mert_checkpoint.small(pre_norm=False)
    weights = tmp_path / "mert"
    weights.mkdir()
    mert_checkpoint.write_checkpoint(weights, release)
    mert = mert_checkpoint.load(release, weights)
    asked: list[tuple[str, EncoderOptions]] = []
    load = encoders.load

    def loaded(name: str, options: EncoderOptions) -> Encoder:
        if name != "mert-95m":
            return load(name, options)
        asked.append((name, options))
        return mert

    monkeypatch.setattr(encoders, "load", loaded)
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    arguments = [
        str(music[0]), str(music[1]), str(tmp_path), "--teacher", "mert-95m", "--teacher-weights",
        str(weights), "--device", "cpu", "--steps", "4", "--frames", "8",
    ]  # fmt: skip
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert asked == [("mert-95m", EncoderOptions(weights=weights, device="cpu"))]
    label = f"{mert.info.name}-{mert.info.revision}-{mert.info.layers}"
    taught = np.load(tmp_path / "spectra" / f"teacher-{label}.npy")
    assert taught.shape == (4 * 24, mert.info.dim)
    heard = mert.encode(melody(6.0, 0)[None, : 5 * RATE_HZ])[0]  # the first window of 5 s
    here = taught[:20].astype(np.float32).mean(0)
    np.testing.assert_allclose(here, heard.mean(0), atol=0.02 + 0.05 * np.abs(heard).max())
    lines = [
        json.loads(x) for x in (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()
    ]
    assert all(np.isfinite(line["distil"]) and line["distil"] > 0 for line in lines)
    made = load("mess-mini", EncoderOptions(weights=tmp_path / "run"))
    assert np.isfinite(made.encode(melody(3.0, 0)[None])).all()


def small_plan(steps: int) -> training.TrainingPlan:
    return training.TrainingPlan(
        steps=steps, tracks_per_step=3, n_frames=8, width=48, layers=1, checkpoint_every=2,
        warm_up=2, weights=LossWeights(distil=0.0),
    )  # fmt: skip


def test_training_resumes_as_if_never_interrupted(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)

    def trainer() -> training.Trainer:
        return training.Trainer(small_plan(4), collection, [0, 1, 2, 3], None)

    straight, first = trainer(), trainer()
    training.train(straight, tmp_path / "straight")
    first.advance()
    first.advance()
    (tmp_path / "broken").mkdir()
    training.save(first, tmp_path / "broken" / "last.pt")
    resumed = trainer()
    training.train(resumed, tmp_path / "broken")
    for name, tensor in straight.net.state_dict().items():
        torch.testing.assert_close(resumed.net.state_dict()[name], tensor, msg=name)
    assert (tmp_path / "straight" / "log.jsonl").read_text("utf-8").count("\n") == 2


def test_a_checkpoint_of_another_plan_is_refused(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    one = training.Trainer(small_plan(2), collection, [0, 1], None)
    training.save(one, tmp_path / "last.pt")
    without = replace(one.plan, weights=replace(one.plan.weights, local=0.0))
    others = [
        training.Trainer(small_plan(3), collection, [0, 1], None),
        training.Trainer(small_plan(2), collection, [0, 1, 2], None),
        training.Trainer(without, collection, [0, 1], None),
        training.Trainer(replace(one.plan, mixup_db=None), collection, [0, 1], None),
    ]
    for other in others:
        with pytest.raises(UsageError, match="another plan, teacher or choice"):
            training.train(other, tmp_path)


@pytest.mark.parametrize(("name", "bit_rate"), [("mp3", 24_000), ("opus", 12_000)])
def test_a_codec_keeps_length_and_timing_but_not_the_sound(name: str, bit_rate: int) -> None:
    before = melody(3.0, 5)
    after = through_codec(before, RATE_HZ, name, bit_rate)
    assert after.shape == before.shape
    spectrum = np.fft.rfft(before, 2 * len(before)) * np.fft.rfft(after, 2 * len(after)).conj()
    assert int(np.argmax(np.fft.irfft(spectrum))) == 0  # no delay
    error = np.square(after - before).mean() / np.square(before).mean()
    assert 1e-4 < error < 0.2


def test_coded_copies_are_the_same_frames_a_little_worn(
    music: tuple[Path, Path], tmp_path: Path
) -> None:
    paths = [music[1] / name for name in ("0.wav", "broken.wav", "1.wav")]
    prepare(paths, ["a", "b", "c"], tmp_path)
    prepare_coded(paths, tmp_path)
    both = Collection(tmp_path)
    place = Place(2, 24, 24)
    clean, worn = both.batch([place], 24), both.batch([place], 24, coded=True)
    away = (clean.mel - worn.mel).abs().mean()
    assert 0.01 < away < 0.4 * (clean.mel - clean.mel.mean()).abs().mean()
    here = both.mel.shape
    assert both.coded is not None
    assert both.coded[0].shape == here
    written = (tmp_path / "mel-coded.f16").stat().st_mtime_ns
    prepare_coded(paths, tmp_path)  # exists
    assert (tmp_path / "mel-coded.f16").stat().st_mtime_ns == written


def test_coded_copies_are_heard_in_their_share_of_the_windows(
    music: tuple[Path, Path],
    collection: Collection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    plan = replace(small_plan(2), codec=1.0)
    with pytest.raises(UsageError, match="has none"):
        training.Trainer(plan, collection, [0, 1, 2, 3], None)
    arguments = [str(music[0]), str(music[1]), str(tmp_path), "--steps", "1", "--frames", "8"]
    result = CliRunner().invoke(main, [*arguments, "--codec", "0.5"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    both = Collection(tmp_path / "spectra")
    places = [Place(track, 2, 8) for track in range(4)]
    clean, worn = both.batch(places, 8), both.batch(places, 8, coded=True)
    for share, expected in ((1.0, worn), (0.0, clean)):
        trainer = training.Trainer(replace(plan, codec=share), both, [0, 1, 2, 3], None)
        torch.testing.assert_close(trainer._coded(clean, places).mel, expected.mel)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_that_is_left_out_is_not_trained(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    plan = replace(without_parts([term]), tracks_per_step=3, n_frames=8, width=48, layers=1)
    trainer = training.Trainer(plan, collection, [0, 1, 2, 3], None)
    there = set(TERMS) - {term, "distil"}  # no teacher has listened
    assert set(trainer.advance()) == {*there, "total"}


def test_without_mixup_nothing_else_changes(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    plan = small_plan(2)
    with_it, without = (
        training.Trainer(p, collection, [0, 1, 2, 3], None)
        for p in (plan, replace(plan, mixup_db=without_parts(["mixup"]).mixup_db))
    )
    batch = collection.batch(with_it.sampler.draw(3, 0.0)[0], 8)
    mixed, same = with_it._noisy(batch, 3), without._noisy(batch, 3)
    torch.testing.assert_close(same.mel, batch.mel, rtol=0, atol=0)
    assert not torch.equal(mixed.mel, batch.mel)
    assert torch.equal(with_it.generator.get_state(), without.generator.get_state())


def test_leaving_everything_out_is_refused(music: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to train"):
        without_parts([*TERMS, "mixup"])
    arguments = [str(music[0]), str(music[1]), str(tmp_path)]
    unknown = CliRunner().invoke(main, [*arguments, "--without", "loudness"])
    assert unknown.exit_code == 2
    assert "'mixup'" in unknown.output  # it names what can be left out
    for wrong in ("3/3", "1", "a/b"):
        result = CliRunner().invoke(main, [*arguments, "--leave-out", wrong])
        assert result.exit_code == 2
        assert "write K/N" in result.output
    assert not list(tmp_path.iterdir())


def test_one_command_makes_weights_that_the_encoder_loads(
    music: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    arguments = [str(music[0]), str(music[1]), str(tmp_path), "--steps", "2", "--frames", "8"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    made = encoders.load("mess-mini", EncoderOptions(weights=tmp_path / "run"))
    frames = made.encode(melody(3.0, 0)[None])
    assert np.isfinite(frames).all()
    again = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert again.output.splitlines()[-1] == result.output.splitlines()[-1]


def test_recordings_that_no_fold_leaves_out(
    music: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    arguments = [str(music[0]), str(music[1]), str(tmp_path), "--steps", "1", "--frames", "8"]
    arguments += ["--leave-out", "0/2"]

    def learned_from(name: str, *more: str) -> list[int]:
        result = CliRunner().invoke(main, [*arguments, *more, "--name", name])
        assert result.exit_code == 0, result.output
        settings = json.loads((tmp_path / name / "settings.json").read_text("utf-8"))
        return list(settings["recordings"])

    kept = learned_from("alone")
    n_listed = len(read_listing(music[0]))
    assert 0 < len(kept) < n_listed
    added = learned_from("more", "--also", str(music[0]), str(music[1]))
    assert added == [*kept, *range(n_listed, 2 * n_listed)]


def test_intermediate_weights_are_those_of_a_run_that_stops_there(
    music: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATISTICS_WINDOWS", 24)
    arguments = [str(music[0]), str(music[1]), str(tmp_path), "--steps", "4", "--frames", "8"]

    def revision(run: str) -> str:
        """A digest of all numbers."""
        return encoders.load("mess-mini", EncoderOptions(weights=tmp_path / run)).info.revision

    def weights(name: str, *more: str) -> str:
        result = CliRunner().invoke(main, [*arguments, *more, "--name", name])
        assert result.exit_code == 0, result.output
        return revision(name)

    full = weights("curve", "--export-every", "2")
    assert not (tmp_path / "curve" / "step4").exists()
    lines = (tmp_path / "curve" / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4]
    halfway = revision("curve/step2")
    assert weights("short", "--stop-after", "2") == halfway != full
    assert weights("short") == full  # goes on from there
    further = CliRunner().invoke(main, [*arguments, "--name", "short", "--stop-after", "2"])
    assert "is at step 4 already" in str(further.exception)
    settings = json.loads((tmp_path / "curve" / "settings.json").read_text("utf-8"))
    assert settings["plan"]["steps"] == 4
    assert settings["recordings"] == [0, 1, 2, 3, 4]


def table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block of an uncompressed LevelDB table whose keys share what they can."""
    block, last = b"", b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b),
                      min(len(key), len(last)))  # fmt: skip
        block += bytes([shared, len(key) - shared, len(value)]) + key[shared:] + value
        last = key
    return block + struct.pack("<II", 0, 1)


def test_checkpoint_reader(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    dim2, dim3 = b"\x12\x02\x08\x02", b"\x12\x02\x08\x03"
    entry = b"\x08\x01\x12\x08" + dim2 + dim3 + b"\x28\x18"  # float, shape (2, 3), 24 bytes
    steps = b"\x08\x09\x12\x00\x20\x18\x28\x08"  # an int64 scalar, left out
    data = table([(b"", b"\x08\x01"), (b"conv/bias", entry), (b"conv/step", steps)])
    index = table([(b"z", bytes([0, len(data)]))])
    start = len(data) + 5
    footer = bytes([0, 0]) + bytes([start]) + bytes([len(index)])
    whole = data + bytes(5) + index + bytes(5) + footer.ljust(40, b"\0")
    (tmp_path / ".index").write_bytes(whole + struct.pack("<Q", TABLE_MAGIC))
    (tmp_path / ".data-00000-of-00001").write_bytes(numbers.tobytes() + bytes(8))
    tensors = read_checkpoint(tmp_path)
    assert list(tensors) == ["conv/bias"]
    np.testing.assert_array_equal(tensors["conv/bias"], numbers.reshape(2, 3))
    (tmp_path / ".index").write_bytes(bytes(64))
    with pytest.raises(UsageError, match="not the index"):
        read_checkpoint(tmp_path)
