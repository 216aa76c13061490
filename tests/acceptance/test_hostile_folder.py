"""A folder of everything that should not be there: each a row with a reason, or left alone."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mess_plugin.audio import AUDIO_SUFFIXES
from mess_plugin.library.walk import Walk
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import open_store
from mess_workers.broker import JobQueue
from mess_workers.dispatcher import send_due
from tests.event_tools import program, settings_for, write_songs

Eventually = Callable[..., None]


def _fill(folder: Path, song: Path) -> dict[str, str]:
    """Make the folder; what must become of each name: "row", "failed", "done" or "ignored"."""
    rng = random.Random(1)
    data = song.read_bytes()
    expected: dict[str, str] = {}
    for percent in range(0, 100, 10):
        name = f"truncated {percent:02}.flac"
        (folder / name).write_bytes(data[: len(data) * percent // 100])
        expected[name] = "failed" if percent == 0 else "row"
    for suffix in sorted(AUDIO_SUFFIXES):
        (folder / f"random{suffix}").write_bytes(rng.randbytes(20_000))
        expected[f"random{suffix}"] = "row"
    for suffix in (".flac", ".wav", ".mp3"):
        with (folder / f"sparse{suffix}").open("wb") as file:
            file.truncate(4 << 30)
        expected[f"sparse{suffix}"] = "failed"
    for name in (
        "new\nline.flac",
        "bad\udcff\udcfe.flac",
        "tab\t\x1b[31m.flac",
        "é" * 125 + ".flac",
    ):
        shutil.copyfile(song, folder / name)
        expected[name] = "done"
    deep = folder
    for _ in range(60):
        deep /= "deep"
        deep.mkdir()
    shutil.copyfile(song, deep / "song.flac")
    expected[os.path.relpath(deep / "song.flac", folder)] = "done"
    os.mkfifo(folder / "fifo.flac")
    (folder / "loop.flac").symlink_to(folder / "loop.flac")
    (folder / "nowhere.flac").symlink_to(folder / "nothing")
    (folder / "around").symlink_to(folder)
    (folder / "folder.flac").mkdir()
    expected |= dict.fromkeys(["fifo.flac", "loop.flac", "nowhere.flac", "folder.flac"], "ignored")
    try:
        os.mknod(folder / "device.flac", 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero
        expected["device.flac"] = "ignored"
    except PermissionError:
        pass
    if os.geteuid() != 0:
        shutil.copyfile(song, folder / "secret.flac")
        (folder / "secret.flac").chmod(0)
        expected["secret.flac"] = "failed"
    return expected


@pytest.mark.timeout(600)
def test_a_hostile_folder(
    tmp_path: Path, database_url: str, valkey_url: str, eventually: Eventually
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    expected = _fill(folder, write_songs(tmp_path / "song", 1)[0])
    settings = settings_for(
        tmp_path / "home", database_url, valkey_url, file_limit_s=60.0, attempts=1
    )
    recipe = str(Recipe.of(settings))
    queue = JobQueue(settings)
    with open_store(database_url) as store:
        store.jobs.enqueue(list(Walk([str(folder)])), recipe)
        with program("mess_workers", settings, tmp_path / "worker.log"):

            def over() -> bool:
                send_due(store, queue)
                states = store.jobs.count_jobs()[recipe]
                return not states.keys() & {"wanted", "running"}

            eventually(over, 400)
        failures = {os.path.relpath(one.path, folder): one for one in store.jobs.failures()}
        known = {os.path.relpath(path, folder) for path in store.files.known_paths([str(folder)])}
    outcomes = {
        name: "failed" if name in failures else "done" if name in known else "ignored"
        for name in expected
    }
    wrong = {
        name: (wanted, outcomes[name])
        for name, wanted in expected.items()
        if outcomes[name] != wanted and not (wanted == "row" and outcomes[name] != "ignored")
    }
    assert wrong == {}
    assert known == {name for name, wanted in expected.items() if wanted != "ignored"}
    assert all(one.kind and one.reason for one in failures.values())
    assert {one.kind for one in failures.values()}.isdisjoint({"crashed", "unknown"})
