"""Jobs run to their end in this process: real audio, the real encoder, a real database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from msgspec.structs import replace

from mess_plugin import audio, encoders
from mess_plugin.config import load_settings
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.errors import EncoderError
from mess_plugin.library.walk import Walk
from mess_plugin.model import Float32, Level, Projection
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from mess_workers import tasks
from tests.audio_files import music, tone, write_audio

Befall = Callable[[Callable[[], object]], None]


@pytest.fixture
def store(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("MESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESS_ENCODER", "descriptors")
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)
    caches = (tasks.settings, tasks.encoder_for)
    for cache in caches:
        cache.cache_clear()
    with open_store(database_url) as opened:
        yield opened
    for cache in caches:
        cache.cache_clear()


def song(path: Path, seed: int = 0, duration_s: float = 12.0) -> Path:
    return write_audio(path, music(duration_s, 24000, channels=1, seed=seed), 24000)


def jobs(store: Store, *roots: Path, force: bool = False) -> tuple[int, ...]:
    """What a walk over some roots wants."""
    recipe = str(Recipe.of(load_settings()))
    files = list(Walk([str(root) for root in roots]))
    return store.jobs.enqueue(files, recipe, uuid4(), retry_failed=True, force=force).job_ids


def run(store: Store, *roots: Path, force: bool = False) -> None:
    for job_id in jobs(store, *roots, force=force):
        tasks.run_job(store, job_id)


def outcomes(store: Store) -> dict[str, int]:
    (counts,) = store.jobs.count_jobs().values()
    return counts


def test_a_file_becomes_vectors_of_all_levels(store: Store, tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac")
    run(store, path)
    space = store.spaces.searchable(str(Recipe.of(load_settings())))
    assert space is not None
    known = store.library.find_path(str(path))
    assert known is not None
    assert known[0] is not None
    track = store.library.get([known[0]])[known[0]]
    assert track.duration_s == pytest.approx(12.0, abs=0.05)
    for level in Level:
        found = store.embeddings.of_track(space, level, track.id)
        np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=2e-3)
        assert found.intervals[-1, 1] == pytest.approx(12.0, abs=0.05)
    assert outcomes(store) == {"done": 1}


def test_two_locations_are_one_track_and_the_music_is_untouched(
    store: Store, tmp_path: Path
) -> None:
    first = song(tmp_path / "a.flac")
    second = tmp_path / os.fsdecode(b"b\xff\n.flac")
    shutil.copy(first, second)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (first, second)}
    run(store, tmp_path)
    assert store.library.count()[:2] == (1, 2)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_replaced_audio_is_another_track(store: Store, tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac", seed=1)
    run(store, path)
    old = store.library.find_path(str(path))
    song(path, seed=2, duration_s=9.0)
    run(store, path)
    new = store.library.find_path(str(path))
    assert old is not None
    assert new is not None
    assert new[0] not in (None, old[0])
    assert store.library.count()[:2] == (1, 1)


def test_audio_replaced_by_rubbish_is_no_track_any_more(store: Store, tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac")
    run(store, path)
    path.write_bytes(b"not a flac file at all" * 100)
    run(store, path)
    assert store.library.count()[:2] == (0, 0)
    (failure,) = store.jobs.failures()
    assert failure.path == str(path)


def test_a_file_that_vanished_is_hidden_and_takes_its_job_along(
    store: Store, tmp_path: Path
) -> None:
    path = song(tmp_path / "a.flac")
    (job_id,) = jobs(store, path)
    path.unlink()
    tasks.run_job(store, job_id)
    assert store.files.known_paths(["/"], with_missing=False) == {}
    assert store.files.forget_missing(0) == 1
    assert store.files.known_paths(["/"]) == {}
    tasks.run_job(store, job_id)  # nothing is left to do
    assert store.jobs.count_jobs() == {}


def test_a_file_that_was_gone_is_heard_when_it_is_back(store: Store, tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac")
    (job_id,) = jobs(store, path)
    away = path.rename(tmp_path / "away")
    tasks.run_job(store, job_id)
    away.rename(path)
    assert jobs(store, path) == (job_id,)
    tasks.run_job(store, job_id)
    assert store.library.count()[:2] == (1, 1)
    assert jobs(store, path) == ()


def test_a_file_renamed_before_anybody_noticed_is_heard_under_its_new_name(
    store: Store, tmp_path: Path
) -> None:
    path = song(tmp_path / "a.flac")
    (job_id,) = jobs(store, path)
    new = path.rename(tmp_path / "b.flac")
    tasks.run_job(store, job_id)  # gone, as far as anybody knows
    store.files.rename(str(path), str(new))
    tasks.run_job(store, job_id)
    known = store.library.find_path(str(new))
    assert known is not None
    assert known[0] is not None


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.touch(), "empty"),
        (lambda path: write_audio(path, tone(0.2, 24000, channels=1), 24000), "too-short"),
        (lambda path: write_audio(path, tone(5, 24000, channels=1) * 0, 24000), "silent"),
        (
            lambda path: write_audio(
                path,
                np.full((1, 72000), np.nan, np.float32),
                24000,
                codec="pcm_f32le",
                container="wav",
            ),
            "damaged",
        ),
    ],
)
def test_what_is_no_music_is_a_row_with_its_reason(
    store: Store, tmp_path: Path, make: Callable[[Path], object], kind: str
) -> None:
    path = tmp_path / "a.wav"
    make(path)
    run(store, path)
    (failure,) = store.jobs.failures()
    assert (failure.kind, failure.attempts) == (kind, 1)
    assert failure.reason


class Troubled:
    """The real encoder, which something befalls."""

    def __init__(self, inner: Encoder, trouble: Callable[[], object]) -> None:
        self._inner = inner
        self._trouble = trouble

    @property
    def info(self) -> EncoderInfo:
        return self._inner.info

    @property
    def projections(self) -> Mapping[Level, Projection]:
        return self._inner.projections

    def encode(self, windows: Float32) -> Float32:
        if self._trouble():
            return np.full((len(windows), 4, self.info.dim), np.nan, np.float32)
        return self._inner.encode(windows)


@pytest.fixture
def befall(monkeypatch: pytest.MonkeyPatch) -> Befall:
    """Let something happen while the encoder works."""

    def install(trouble: Callable[[], object]) -> None:
        encoder = Troubled(encoders.load("descriptors"), trouble)
        monkeypatch.setattr(tasks, "encoder_for", lambda _recipe: encoder)

    return install


def raising(error: BaseException) -> Callable[[], object]:
    def trouble() -> object:
        raise error

    return trouble


@pytest.mark.parametrize(
    ("trouble", "kind", "reason"),
    [
        (lambda: True, "encoder", "no numbers"),
        (raising(EncoderError("descriptors", "no ears")), "encoder", "no ears"),
        (raising(MemoryError()), "memory", "not enough memory"),
        (raising(SoftTimeLimitExceeded()), "too-slow", "took more than"),
    ],
)
def test_what_would_happen_again_fails_at_once(
    store: Store,
    tmp_path: Path,
    befall: Befall,
    trouble: Callable[[], object],
    kind: str,
    reason: str,
) -> None:
    befall(trouble)
    run(store, song(tmp_path / "a.flac"))
    (failure,) = store.jobs.failures()
    assert (failure.kind, failure.attempts) == (kind, 1)
    assert reason in failure.reason
    assert store.library.count()[0] == 0


@pytest.mark.parametrize(
    "error",
    [
        ValueError("odd \0"),
        psycopg.DataError("no such value"),
        psycopg.IntegrityError("twice"),
        psycopg.ProgrammingError("no such table"),
        psycopg.errors.ProgramLimitExceeded("too long for an index"),
    ],
)
def test_what_nobody_expected_is_tried_a_few_times(
    store: Store, tmp_path: Path, befall: Befall, error: Exception
) -> None:
    befall(raising(error))
    (job_id,) = jobs(store, song(tmp_path / "a.flac"))
    for _ in range(2):
        tasks.index_file(job_id)
        assert outcomes(store) == {"wanted": 1}
        assert store.dispatch.claim(1) == []  # it waits for its time
    tasks.index_file(job_id)
    tasks.index_file(job_id)  # over is over
    (failure,) = store.jobs.failures()
    assert (failure.kind, failure.attempts) == ("crashed", 3)
    assert type(error).__name__ in failure.reason


def test_vectors_that_are_no_numbers_end_as_a_failure(store: Store, tmp_path: Path) -> None:
    """The database itself refuses them, were they ever to come so far."""
    path = song(tmp_path / "a.flac")
    run(store, path)
    space = store.spaces.searchable(str(Recipe.of(load_settings())))
    assert space is not None
    levels = {level: store.embeddings.of_track(space, level, 1) for level in Level}
    broken = replace(levels[Level.SONG], vectors=levels[Level.SONG].vectors * np.nan)
    with pytest.raises(psycopg.DataError), store.transaction():
        store.embeddings.write(space, 1, {Level.SONG: broken})
    assert store.embeddings.has(space, 1)


@pytest.fixture
def present(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Store, int]]:
    """A worker that stays present, to which the tasks of this process belong, and its id."""
    with open_store(database_url) as worker:
        number = worker.workers.enter("here", os.getpid())
        monkeypatch.setattr(tasks, "worker_id", lambda: number)
        yield worker, number


def end_the_process(database_url: str, job_id: int) -> None:
    """A task whose process ends while the encoder works: nothing is written after that."""
    with open_store(database_url) as child:
        assert child.jobs.lock(job_id)
        with pytest.raises(KeyboardInterrupt):
            tasks.run_job(child, job_id)


def recovered(store: Store, job_id: int) -> bool:
    return store.jobs.recover([job_id]) == [job_id]


def test_a_file_that_ends_its_process_is_given_up(
    store: Store,
    database_url: str,
    present: tuple[Store, int],
    tmp_path: Path,
    befall: Befall,
    eventually: Callable[..., None],
) -> None:
    """Also where the database failed before: what was excused then is not excused again."""
    (job_id,) = jobs(store, song(tmp_path / "a.flac"))
    befall(raising(psycopg.OperationalError("gone")))
    tasks.index_file(job_id)
    befall(raising(KeyboardInterrupt()))
    for _ in range(3):
        end_the_process(database_url, job_id)
        eventually(lambda: recovered(store, job_id))
    tasks.index_file(job_id)
    (failure,) = store.jobs.failures()
    assert (failure.kind, failure.reason) == (
        "crashed",
        "reading it ended the process 3 times; it is not tried again",
    )


def test_a_file_whose_end_nobody_sees_is_given_up_in_the_end(
    store: Store, database_url: str, tmp_path: Path, befall: Befall
) -> None:
    befall(raising(KeyboardInterrupt()))
    (job_id,) = jobs(store, song(tmp_path / "a.flac"))
    for _ in range(100):
        with pytest.raises(KeyboardInterrupt):
            tasks.run_job(store, job_id)
        assert store.jobs.recover([job_id]) == [job_id]
        if read_row(database_url, job_id)[1] > tasks._MOST_INTERRUPTIONS:
            break
    tasks.run_job(store, job_id)
    (failure,) = store.jobs.failures()
    assert failure.kind == "crashed"


def read_row(database_url: str, job_id: int) -> tuple[int, int]:
    """(attempts, interruptions) of a job."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT attempts, interruptions FROM jobs WHERE id = %s", [job_id]
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_worker_that_was_away_excuses_what_ended_meanwhile(
    store: Store, database_url: str, present: tuple[Store, int], tmp_path: Path, befall: Befall
) -> None:
    """The database lost sight of a worker and its job, and the worker is back first."""
    befall(raising(KeyboardInterrupt()))
    (job_id,) = jobs(store, song(tmp_path / "a.flac"))
    with pytest.raises(KeyboardInterrupt):
        tasks.run_job(store, job_id)
    worker, number = present
    worker.workers.enter("here", os.getpid(), number)
    assert recovered(store, job_id)
    assert read_row(database_url, job_id) == (0, 1)


def test_a_file_that_changes_meanwhile_is_read_again(
    store: Store, database_url: str, tmp_path: Path, befall: Befall
) -> None:
    path = song(tmp_path / "a.flac")
    befall(lambda: os.utime(path))
    (job_id,) = jobs(store, path)
    tasks.run_job(store, job_id)
    assert outcomes(store) == {"wanted": 1}
    assert read_row(database_url, job_id) == (0, 0)
    assert store.library.count()[0] == 0
    befall(lambda: None)
    tasks.run_job(store, job_id)
    assert outcomes(store) == {"done": 1}


def test_a_file_that_vanishes_while_it_is_opened_has_not_failed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(tmp_path / "a.flac")
    (job_id,) = jobs(store, path)
    identify = audio.identify

    def late(path: Path, limit_s: float | None) -> str:
        path.unlink()
        return identify(path, limit_s=limit_s)

    monkeypatch.setattr(audio, "identify", late)
    tasks.run_job(store, job_id)
    assert store.jobs.failures() == []
    assert outcomes(store) == {"wanted": 1}


@pytest.mark.parametrize(
    "lost", [psycopg.OperationalError("gone"), psycopg.errors.DiskFull("full")]
)
def test_the_file_is_not_blamed_for_the_database(
    database_url: str, store: Store, tmp_path: Path, befall: Befall, lost: psycopg.Error
) -> None:
    befall(raising(lost))
    (job_id,) = jobs(store, song(tmp_path / "a.flac"))
    for _ in range(5):
        tasks.index_file(job_id)
        assert outcomes(store) == {"wanted": 1}
    assert store.jobs.failures() == []
    assert read_row(database_url, job_id) == (0, 0)
    befall(lambda: None)
    tasks.index_file(job_id)
    assert outcomes(store) == {"done": 1}


def test_forcing_known_audio_only_notes_it_again(store: Store, tmp_path: Path) -> None:
    path = song(tmp_path / "a.flac")
    run(store, path)
    run(store, path, force=True)
    assert store.library.count()[:2] == (1, 1)
