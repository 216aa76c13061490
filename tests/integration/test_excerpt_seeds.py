"""A question about a stretch of a file that is not in the library, and about bare sound."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mess_plugin import audio
from mess_plugin.audio.resampling import resample
from mess_plugin.cli.services import _programs
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Level
from mess_plugin.search import search, seeds
from mess_plugin.search.references import Recording
from mess_plugin.search.seeds import Seed, resolve
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from tests.audio_files import write_audio
from tests.osc_peer import SAMPLES, index_files, settings_for

FILES = sorted((SAMPLES / "noiz2sa").iterdir())


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return settings_for(tmp_path, database_url)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings.database_url or "") as opened:
        index_files(opened, settings, FILES)
        yield opened


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The first file, with a little noise: not the same audio to the library."""
    path = tmp_path / "copy.wav"
    with audio.decode(FILES[0], 44100) as decoding:
        sound = np.concatenate(list(decoding))
    noise = np.random.default_rng(0).normal(0, 1e-3, len(sound)).astype(np.float32)
    write_audio(path, (sound + noise)[None], 44100)
    return path


def _seed(
    store: Store, settings: Settings, ref: str | Recording, interval: Interval | None
) -> Seed:
    space = store.spaces.searchable(str(Recipe.of(settings)))
    assert space is not None
    return resolve(store, settings, space, ref, interval)


def test_only_the_stretch_is_heard_and_times_are_the_files(
    store: Store, settings: Settings, copy: Path
) -> None:
    seed = _seed(store, settings, str(copy), Interval(12.0, 20.0))
    assert seed.track is None
    assert seed.duration_s == pytest.approx(20.0, abs=0.01)
    for level in Level:
        intervals = seed.levels[level].intervals
        assert intervals.min() == pytest.approx(12.0, abs=0.01)
        assert intervals.max() == pytest.approx(20.0, abs=0.01)


def test_it_is_found_at_its_place(store: Store, settings: Settings, copy: Path) -> None:
    answer = search(store, settings, str(copy), k=2, interval=Interval(12.0, 20.0))
    best = answer.matches[0]
    assert best.track.path == str(FILES[0])
    assert best.score > 0.9
    assert best.match_section is not None
    assert best.match_section.start_s == pytest.approx(12.0, abs=1.5)


def test_a_short_stretch_grows_to_one_window(store: Store, settings: Settings, copy: Path) -> None:
    seed = _seed(store, settings, str(copy), Interval(10.0, 10.5))
    assert seed.levels[Level.SONG].intervals[0] == pytest.approx([7.75, 12.75], abs=0.01)
    at_start = _seed(store, settings, str(copy), Interval(0.0, 0.5))
    assert at_start.levels[Level.SONG].intervals[0] == pytest.approx([0.0, 5.0], abs=0.01)


def test_an_open_end_and_a_start_behind_the_end(
    store: Store, settings: Settings, copy: Path
) -> None:
    whole_s = audio.probe(copy).duration_s
    assert whole_s is not None
    seed = _seed(store, settings, str(copy), Interval(20.0, float("inf")))
    assert seed.duration_s == pytest.approx(whole_s, abs=0.1)
    with pytest.raises(UsageError, match="ends before 500 s"):
        _seed(store, settings, str(copy), Interval(500.0, 510.0))
    with pytest.raises(UsageError, match=r"ends .3 s. before it starts .9 s."):
        _seed(store, settings, str(copy), Interval(9.0, 3.0))
    with pytest.raises(UsageError, match="starts at -2 s: wanted 0 or more"):
        _seed(store, settings, str(copy), Interval(-2.0, 3.0))


def test_the_same_audio_elsewhere_is_the_known_track(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    twin = tmp_path / FILES[0].name
    twin.write_bytes(FILES[0].read_bytes())
    seed = _seed(store, settings, str(twin), Interval(5.0, 10.0))
    assert seed.track is not None
    assert seed.track.path == str(FILES[0])


def test_bare_sound_at_any_rate(store: Store, settings: Settings) -> None:
    for rate_hz in (22050, 44100, 48000):
        with audio.decode(FILES[1], rate_hz, interval=Interval(5.0, 15.0)) as decoding:
            sound = Recording("a take", np.concatenate(list(decoding)), rate_hz)
        answer = search(store, settings, sound, k=1, interval=Interval(0.0, 10.0))
        assert answer.seeds[0].seed.name == "a take"
        assert answer.matches[0].track.path == str(FILES[1])
        found = answer.matches[0].match_section
        assert found is not None
        assert found.start_s == pytest.approx(5.0, abs=1.5)


def test_one_encoder_serves_several_threads(settings: Settings, store: Store, copy: Path) -> None:
    seeds.make_ready(settings)

    def hear(start_s: float) -> np.ndarray:
        with open_store(settings.database_url or "") as own:
            seed = _seed(own, settings, str(copy), Interval(start_s, start_s + 5.0))
            return seed.levels[Level.WINDOW].vectors

    starts = [0.0, 5.0, 10.0, 15.0] * 2
    alone = [hear(start_s) for start_s in starts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(hear, starts))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("source_hz", "rate_hz"), [(44100, 24000), (8000, 44100), (48000, 48000)])
def test_resampling_keeps_a_tone(source_hz: int, rate_hz: int) -> None:
    time_s = np.arange(source_hz * 3) / source_hz
    wave = np.sin(2 * np.pi * 440 * time_s).astype(np.float32)
    heard = np.concatenate(list(resample(wave, source_hz, rate_hz)))
    assert abs(len(heard) - rate_hz * 3) <= 2
    expected = np.sin(2 * np.pi * 440 * np.arange(len(heard)) / rate_hz)
    middle = slice(rate_hz // 2, -rate_hz // 2)
    np.testing.assert_allclose(heard[middle], expected[middle], atol=2e-3)


def test_resampling_nothing_gives_nothing() -> None:
    assert sum(map(len, resample(np.zeros(0, np.float32), 44100, 24000))) == 0


def test_a_setting_switches_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    points = [EntryPoint(name, name, "mess.programs") for name in ("osc", "worker")]
    monkeypatch.setattr("mess_plugin.cli.services.entry_points", lambda group: points)
    home = {"MESS_HOME": str(tmp_path)}
    assert [one.name for one in _programs(load_settings(home))] == ["worker"]
    switched = load_settings({**home, "MESS_OSC": "true", "MESS_OSC_SECRET": "x"})
    osc, worker = _programs(switched)
    assert (osc.name, worker.name) == ("osc", "worker")
    again = load_settings(dict(osc.environment))
    assert (again.osc, again.osc_secret) == (True, "x")
