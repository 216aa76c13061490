"""From the last write of a new file until it is searchable, in libraries of several sizes.

    PYTHONPATH=.:workers:integrations python benchmarks/latency.py --files 5 --minutes 4
    … benchmarks/latency.py --tracks 1000 --tracks 100000 --home FOLDER

Fills a home for each size with made-up tracks (song, sections and windows, all indexed; their files
lie in the watched folder too), starts what `mess up` starts there, writes new recordings into the
watched folders in turn, and asks the database for each until it is there. With --home the filled
homes stay there for the next run; `--files 0` only fills them. Every run writes other music, because
a library knows what it has heard.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import numpy as np

from benchmarks.made_up_library import make_library, write_files
from mess_plugin import embedded
from mess_plugin.config import load_settings
from mess_plugin.model import Level
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from tests.audio_files import music, write_audio
from tests.chaos import House, house


@click.command()
@click.option("--files", default=5, show_default=True, help="New ones for each size.")
@click.option("--minutes", default=4.0, show_default=True, help="Length of each recording.")
@click.option("--settle-s", default=1.0, show_default=True, help="The setting settle_s.")
@click.option("--encoder", help="Another one than the default.")
@click.option("--tracks", multiple=True, default=(0,), show_default=True, help="Made-up ones.")
@click.option("--windows", default=10, show_default=True, help="Of each made-up track.")
@click.option("--home", type=click.Path(path_type=Path), help="Where the libraries are kept.")
def main(
    files: int,
    minutes: float,
    settle_s: float,
    encoder: str | None,
    tracks: tuple[int, ...],
    windows: int,
    home: Path | None,
) -> None:
    """Measure and print each latency and the medians."""
    with ExitStack() as stack:
        drafts_in = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mess-latency-")))
        places = {n_tracks: (home or drafts_in) / f"{n_tracks}-tracks" for n_tracks in tracks}
        for n_tracks, place in places.items():
            _prepare(place, n_tracks, windows, encoder)
        if not files:
            return
        seed = time.time_ns() % 10**9
        drafts = [_recording(drafts_in, seed + number, minutes) for number in range(files + 1)]
        running = {
            n_tracks: stack.enter_context(_running(place, settle_s, encoder))
            for n_tracks, place in places.items()
        }
        latencies_s: dict[int, list[float]] = {n_tracks: [] for n_tracks in tracks}
        for number, draft in enumerate(drafts):
            for n_tracks, (its_house, store) in running.items():
                latency_s = _measure(its_house, store, draft)
                if number:  # the first one waits for programs and the encoder
                    latencies_s[n_tracks].append(latency_s)
        _report(latencies_s, running, minutes)


def _report(
    latencies_s: dict[int, list[float]], running: dict[int, tuple[House, Store]], minutes: float
) -> None:
    first = statistics.median(next(iter(latencies_s.values())))
    for n_tracks, found_s in latencies_s.items():
        median_s, told_s = statistics.median(found_s), running[n_tracks][1].dispatch.pace().median_s
        click.echo(
            f"{n_tracks} tracks: {', '.join(f'{one_s:.2f}' for one_s in found_s)} s, "
            f"median {median_s:.2f} s (x {median_s / first:.2f}) of {len(found_s)} files of "
            f"{minutes:g} min; the service's own metric says {told_s:.2f} s"
        )
    click.echo(f"load average {os.getloadavg()[0]:.1f}")


def _prepare(place: Path, n_tracks: int, windows: int, encoder: str | None) -> None:
    """A home with a library of made-up tracks, and their files in its watched folder."""
    filled = place / "filled"
    if filled.exists():
        return
    watched = place / "music"
    watched.mkdir(parents=True)
    began_s = time.monotonic()
    if n_tracks:
        write_files(watched, n_tracks)
        settings = load_settings({"MESS_HOME": str(place / "home")}, encoder=encoder)
        with embedded.lease(place / "home", timeout_s=300) as held:
            make_library(held.endpoints.database_url, settings, n_tracks, windows, str(watched))
        embedded.down(place / "home")
    filled.touch()
    click.echo(f"{n_tracks} tracks made up in {time.monotonic() - began_s:.0f} s")


@contextmanager
def _running(place: Path, settle_s: float, encoder: str | None) -> Iterator[tuple[House, Store]]:
    with (
        house(
            place / "home", place / "music", with_small_disk=False,
            settle_s=settle_s, encoder=encoder,
        ) as its_house,
        open_store(its_house.database_url) as store,
    ):  # fmt: skip
        yield its_house, store


def _recording(root: Path, seed: int, minutes: float) -> Path:
    wave = np.tile(music(15.0 * minutes, 44100, channels=2, seed=seed), (1, 4))
    return write_audio(root / f"{seed}.mp3", wave, 44100, bit_rate=192_000)


def _measure(its_house: House, store: Store, draft: Path) -> float:
    """Seconds from the last write until the new file's vectors are in the library."""
    new = its_house.music / draft.name
    shutil.copyfile(draft, new)
    began_s = time.monotonic()
    while (found := store.library.find_path(str(new))) is None or found[0] is None:
        time.sleep(0.02)
        if time.monotonic() - began_s > 300:
            raise click.ClickException(f"{new} was not indexed within 300 s")
    took_s = time.monotonic() - began_s
    _assert_found(its_house, store, found[0])
    return took_s


def _assert_found(its_house: House, store: Store, track_id: int) -> None:
    """The index finds the new track by each of its levels."""
    space = store.spaces.searchable(str(Recipe.of(its_house.settings)))
    assert space is not None
    for level in Level:
        vector = store.embeddings.of_track(space, level, track_id).vectors[0]
        nearest = store.embeddings.nearest(space, level, vector, 5, exact=False)
        assert track_id in {one.track_id for one in nearest}, level


if __name__ == "__main__":
    main()
