"""The commands of the event pipeline, and the limits of workers, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from mess_plugin.config import Settings
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store
from mess_workers.broker import JobQueue
from mess_workers.cli_watch import greet
from mess_workers.dispatcher import send_due
from tests.audio_files import noise, write_audio
from tests.event_tools import kill, program, see, settings_for, variables, write_songs

Eventually = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    return settings_for(tmp_path / "home", database_url, valkey_url, settle_s=0.2, attempts=2)


def start(settings: Settings, where: str, *words: str, log: Path) -> subprocess.Popen[bytes]:
    """A command by module:attribute, as `mess` would call it."""
    module, _, attribute = where.partition(":")
    code = f"from {module} import {attribute} as c; c(standalone_mode=True)"
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", code, *words], stdout=output, stderr=subprocess.STDOUT,
            env=variables(settings), start_new_session=True,
        )  # fmt: skip


def run(settings: Settings, where: str, *words: str, log: Path) -> tuple[int, str]:
    code = start(settings, where, *words, log=log).wait(120)
    return code, log.read_text()


def want(store: Store, settings: Settings, files: list[Path]) -> None:
    store.jobs.enqueue(see(files), str(Recipe.of(settings)))


def test_watch_brings_its_own_worker(
    settings: Settings, store: Store, tmp_path: Path, eventually: Eventually
) -> None:
    music = tmp_path / "music"
    music.mkdir()
    watch = start(settings, "mess_workers.cli_watch:watch", str(music), log=tmp_path / "log")
    try:
        write_songs(music, 2)
        eventually(lambda: store.library.count()[0] == 2, 120)
    finally:
        os.kill(watch.pid, signal.SIGINT)
        try:
            watch.wait(60)
        finally:
            kill(watch)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_watch_refuses_a_folder_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    from mess_plugin.errors import UsageError

    code, text = run(
        settings, "mess_workers.cli_watch:watch", str(tmp_path / "no"), log=tmp_path / "log"
    )
    assert code == 1
    assert UsageError.__name__ in text
    assert "no such file" in text


def test_pruning_can_be_confirmed(settings: Settings, store: Store, tmp_path: Path) -> None:
    music = tmp_path / "music"
    songs = [music / f"{i}.flac" for i in range(20)]
    music.mkdir()
    for song in songs:
        song.write_bytes(b"x")
    want(store, settings, songs)
    for song in songs[1:]:
        song.unlink()
    code, text = run(
        settings, "mess_workers.cli_watch:watch", "--confirm-prune", str(music), log=tmp_path / "l"
    )
    assert (code, "19 files forgotten" in text) == (0, True)
    assert list(store.files.known_paths([str(music)])) == [str(songs[0])]


def test_the_doctor_proves_the_path_map(settings: Settings, store: Store, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    songs = [music / f"{i}.flac" for i in range(3)]
    for song in songs:
        song.write_bytes(b"x" * 10)
    want(store, settings, songs)
    where, log = "mess_plugin.cli.doctor:doctor", tmp_path / "log"
    assert run(settings, where, "paths", log=log)[0] == 0
    elsewhere = music.rename(tmp_path / "elsewhere")
    code, text = run(settings, where, "paths", log=log)
    assert code == 1
    assert "MESS_PATH_MAP" in text
    mapped = msgspec.structs.replace(settings, path_map=(f"{music}={elsewhere}",))
    assert run(mapped, where, "paths", log=log)[0] == 0
    (elsewhere / "1.flac").write_bytes(b"other")
    code, text = run(mapped, where, "paths", "--json", log=log)
    assert code == 1
    results = [row["result"] for row in json.loads(text)["files"]]
    assert results == ["ok", "5 bytes, known 10", "ok"]


def test_the_status_can_be_followed(
    settings: Settings, tmp_path: Path, eventually: Eventually
) -> None:
    log = tmp_path / "log"
    words = ("--follow", "--json")
    follow = start(settings, "mess_plugin.cli.library:status", *words, log=log)
    try:
        eventually(lambda: log.read_text().count("\n") >= 2, 60)
    finally:
        kill(follow)
    first: dict[str, Any] = json.loads(log.read_text().splitlines()[0])
    assert first["library"]["tracks"] == 0
    assert first["pace"]["jobs_per_s"] == 0.0


def test_a_file_that_kills_its_process_is_given_up_and_the_worker_lives(
    settings: Settings, store: Store, tmp_path: Path, eventually: Eventually
) -> None:
    deadly = write_audio(tmp_path / "deadly.flac", noise(900.0, 22050, channels=1), 22050)
    want(store, settings, [deadly])
    queue = JobQueue(settings)
    json_logs = msgspec.structs.replace(settings, log_format="json")
    with program("mess_workers", json_logs, tmp_path / "worker.log") as worker:

        def given_up() -> bool:
            send_due(store, queue)
            with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
                admin.execute("UPDATE jobs SET not_before = NULL")
                states = admin.execute("SELECT state::text, kind, attempts FROM jobs").fetchall()
            if states[0][0] == "running":
                for child in _children(worker.pid):
                    os.kill(child, signal.SIGKILL)
            return states == [("failed", "crashed", 3)]

        eventually(given_up, 200)
        want(store, settings, write_songs(tmp_path / "good", 1))
        eventually(lambda: send_due(store, queue) < 0 or store.library.count()[0] == 1, 90)
        assert worker.poll() is None
    (failure,) = store.jobs.failures()
    assert "ended the process 2 times" in failure.reason
    lines = [line for line in (tmp_path / "worker.log").read_text().splitlines() if '"job"' in line]
    assert any(json.loads(line)["task"] for line in lines)


def test_memory_is_limited(settings: Settings, tmp_path: Path) -> None:
    code = (
        "from mess_workers.limits import limit_memory; limit_memory(300)\n"
        "try:\n    bytearray(400_000_000)\nexcept MemoryError:\n    print('refused')\n"
        "bytearray(1_000_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables(settings), capture_output=True, check=True
    )
    assert done.stdout == b"refused\n"


def test_a_clock_that_was_set_back_holds_nothing(settings: Settings, store: Store) -> None:
    from mess_plugin.store.files import SeenFile

    store.jobs.enqueue([SeenFile("/a.flac", 1, 1)], str(Recipe.of(settings)))
    with psycopg.connect(settings.database_url or "", autocommit=True) as admin:
        admin.execute("UPDATE jobs SET not_before = now() + interval '1 day'")
        assert len(store.dispatch.claim(1)) == 1
        admin.execute("UPDATE jobs SET sent_at = now() + interval '1 day'")
    assert send_due(store, JobQueue(settings)) == 1


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def test_index_ends_badly_where_every_file_failed_and_says_why(
    settings: Settings, tmp_path: Path
) -> None:
    music = tmp_path / "music"
    (broken,) = write_songs(music, 1)
    broken.write_bytes(b"no sound")
    (music / "a.cue").touch()
    index = "mess_workers.cli:index"
    code, said = run(settings, index, str(music), log=tmp_path / "log")
    assert code == 1
    assert "0 indexed, 0 unchanged, 1 failed" in said
    assert f"{broken}: " in said
    assert "1 file passed over: 1 .cue" in said
    write_songs(music, 1, first_seed=5)
    code, said = run(settings, index, str(music), log=tmp_path / "log")
    assert (code, "1 indexed, 0 unchanged, 1 failed" in said) == (0, True)


def test_watched_folders_are_added_and_removed(settings: Settings, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    settings.home.mkdir(parents=True, exist_ok=True)
    file = settings.home / "config.toml"
    file.write_text('# mine\nencoder = "descriptors"  # small\n')

    def change(*words: str) -> tuple[int, str]:
        return run(settings, "mess_workers.cli_watch:watch", *words, log=tmp_path / "log")

    code, said = change("--add", str(one), "--add", f"{two}/")
    assert (code, f"watched: {one}, {two}" in said) == (0, True)
    assert "`mess up` watches in the background" in said
    assert tomllib.loads(file.read_text())["watch"] == [str(one), str(two)]
    assert file.read_text().startswith('# mine\nencoder = "descriptors"  # small\n')
    assert change("--remove", str(one))[0] == 0
    assert tomllib.loads(file.read_text())["watch"] == [str(two)]
    for words, wrong in (
        (["--remove", str(one)], "is not watched"),
        (["--add", str(tmp_path / "none")], "no such file"),
        (["--add", str(one), str(two)], "do nothing else"),
    ):
        code, said = change(*words)
        assert (code != 0, wrong in said) == (True, True), said
    assert tomllib.loads(file.read_text())["watch"] == [str(two)]
    two.rmdir()
    assert change("--remove", str(two))[0] == 0
    assert tomllib.loads(file.read_text())["watch"] == []


def test_what_is_watched_is_said_when_all_is_up(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    assert greet(settings) == "nothing is watched: `mess watch --add FOLDER`"
    want(store, settings, write_songs(tmp_path / "music", 2))
    assert greet(settings) == f"nothing is watched: `mess watch --add {tmp_path / 'music'}`"
    watching = msgspec.structs.replace(settings, watch=(str(tmp_path),))
    assert greet(watching) == f"watching {tmp_path}"
