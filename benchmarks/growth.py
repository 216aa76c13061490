"""Whether storing one more track costs more in a large library than in a small one.

    PYTHONPATH=.:workers:integrations python benchmarks/growth.py --tracks 1000 --tracks 100000

Fills one database of each size with made-up tracks of the default encoder's space (all indexed; song
vectors alone with `--windows 0`), and then adds real 4-minute tracks to all of them in turn: noted,
sent, taken, stored with all their windows and facets, and given up again.
What was heard is made up, so that only what can grow with the library is measured. Times are CPU
seconds of this process and of the server, and wall clock in brackets; the ratio is what counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import click
import numpy as np
import psycopg

from benchmarks.made_up_library import make_library
from benchmarks.server_cost import server_cpu_s
from mess_plugin import audio, embedded
from mess_plugin.config import Settings, load_settings
from mess_plugin.library import index as indexing
from mess_plugin.library.hearing import Heard, hear_whole
from mess_plugin.library.index import index
from mess_plugin.library.reconcile import Request, reconcile
from mess_plugin.model import Tags
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store, open_store
from mess_plugin.store.dispatch import Due
from mess_plugin.store.files import SeenFile
from tests.audio_files import music, write_audio

_ROUNDS = 3


class Cost(NamedTuple):
    """Of one track."""

    cpu_ms: float
    wall_ms: float


@dataclass(slots=True)
class Library:
    """A database with n tracks, all of which should lie below a root."""

    n_tracks: int
    root: str
    store: Store
    settings: Settings


@click.command()
@click.option("--tracks", multiple=True, default=(1000, 100_000), show_default=True)
@click.option("--added", default=10, show_default=True, help="Real tracks added to each.")
@click.option("--windows", default=10, show_default=True, help="Of each made-up track.")
def main(tracks: tuple[int, ...], added: int, windows: int) -> None:
    """Fill, add in turn, print medians and ratios to the first size."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mess-growth-")))
        held = stack.enter_context(embedded.lease(home / "home", timeout_s=300))
        plain = load_settings({"MESS_HOME": str(home / "home")})
        heard = _listen(home, plain)
        root = str(home / "music")
        (home / "music" / "new").mkdir(parents=True)
        libraries = []
        for n_tracks in tracks:
            url = _database(held.endpoints.database_url, f"of_{n_tracks}")
            began_s = time.monotonic()
            make_library(url, plain, n_tracks, windows, root)
            click.echo(f"{n_tracks} tracks made up in {time.monotonic() - began_s:.0f} s")
            store = stack.enter_context(open_store(url))
            libraries.append(Library(n_tracks, root, store, plain))
        costs = _measure(home, libraries, heard, added)
    small = tracks[0]
    for step in costs[small]:
        for n_tracks in tracks:
            cpu_ms, wall_ms = costs[n_tracks][step]
            ratio = cpu_ms / max(costs[small][step][0], 1e-9)
            click.echo(
                f"{step:28} {n_tracks:>7} tracks: {cpu_ms:7.1f} CPU ms ({wall_ms:7.1f}), x {ratio:.2f}"
            )


def _listen(home: Path, settings: Settings) -> Heard:
    recipe = Recipe.of(settings)
    wave = np.tile(music(30.0, 44100, channels=2, seed=1), (1, 8))
    song = write_audio(home / "song.flac", wave, 44100)
    return hear_whole(song, load_encoder(recipe, settings), recipe, None)


def _database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return url.replace("/mess?", f"/{name}?", 1)


def _measure(
    home: Path, libraries: list[Library], heard: Heard, added: int
) -> dict[int, dict[str, Cost]]:
    """n_tracks → step → cost of one track, on average over all but the first of the rounds."""
    costs: dict[int, dict[str, list[Cost]]] = {library.n_tracks: {} for library in libraries}
    for round_number in range(_ROUNDS + 1):
        for library in libraries:
            steps = _Steps(library, heard, [f"{round_number} {n}" for n in range(added)])
            for name, step in (
                ("noted", steps.note), ("sent", steps.send), ("stored", steps.keep),
                ("given up", steps.give_up),
            ):  # fmt: skip
                cpu_s, wall_s = time.process_time() + server_cpu_s(home), time.monotonic()
                step()
                cpu_s = time.process_time() + server_cpu_s(home) - cpu_s
                wall_s = time.monotonic() - wall_s
                if round_number:  # the first one warms caches
                    cost = Cost(1e3 * cpu_s / added, 1e3 * wall_s / added)
                    costs[library.n_tracks].setdefault(name, []).append(cost)
    return {
        n_tracks: {
            step: Cost(
                statistics.mean(cost.cpu_ms for cost in all_of_it),
                statistics.mean(cost.wall_ms for cost in all_of_it),
            )
            for step, all_of_it in by_step.items()
        }
        for n_tracks, by_step in costs.items()
    }


@dataclass(slots=True)
class _Steps:
    """What happens to new tracks in a library, step by step."""

    library: Library
    heard: Heard
    names: list[str]
    _due: list[Due] = field(default_factory=list)

    def note(self) -> None:
        """As the watcher does when a file lies still."""
        recipe = active_recipe(self.library.store, self.library.settings)
        for name in self.names:
            self.library.store.jobs.enqueue([SeenFile(self._path(name), 1, 1)], recipe)

    def send(self) -> None:
        """As the dispatcher does, for each again."""
        store = self.library.store
        for _ in self.names:
            store.jobs.recover()
            store.dispatch.sent()
            self._due += store.dispatch.claim(1)

    def keep(self) -> None:
        """As a worker does with what it heard."""
        store, settings = self.library.store, self.library.settings
        encoder = load_encoder(Recipe.of(settings), settings)
        for due, name in zip(self._due, self.names, strict=True):
            store.jobs.lock(due.job_id)
            job = store.jobs.start(due.job_id)
            assert job is not None
            with (
                patch.object(indexing, "_fingerprint", lambda _: (1, 1)),
                patch.object(audio, "identify", lambda *_, name=name, **__: name),
                patch.object(indexing, "read_tags", lambda _: Tags(title="new")),
                patch.object(indexing, "hear_whole", lambda *_: self.heard),
            ):
                store.jobs.finish(due.job_id, index(store, job, encoder, limit_s=None).outcome)
            store.jobs.unlock(due.job_id)

    def give_up(self) -> None:
        """As the watcher does when a file vanished: these files never were there."""
        request = Request(active_recipe(self.library.store, self.library.settings))
        for name in self.names:
            reconcile(self.library.store, [self._path(name)], self.library.root, request)

    def _path(self, name: str) -> str:
        return f"{self.library.root}/new/{name}.flac"


if __name__ == "__main__":
    main()
