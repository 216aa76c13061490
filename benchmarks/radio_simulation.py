"""A radio over hundreds of tracks, for a listener who likes one of two made-up styles.

    python -m benchmarks.radio_simulation [--steps 500] [--runs 5] [--tracks 2000]

The seed lies between the styles. The listener likes three in ten tracks of the one style and skips half
of those of the other. Each run is played twice with the same seeds: by a radio that hears what is said,
and by one that does not. Printed are the share of tracks in the liked style, by the hundred; how many
artists were played, and how many tracks lay at least between two of one; and tracks played twice.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.model import Tags
from mess_plugin.playlists.radio import radio
from mess_plugin.search import Query
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store
from tests.stored_library import DIM, add_track, levels_of, random_unit, raw_space, settings

_PER_ARTIST = 20
_LIKES, _SKIPS = 0.3, 0.5  # shares of what is heard
_BLOCK = 100


class Library(msgspec.Struct, frozen=True):
    """Tracks of two styles. good: those of the liked one; artists: by track."""

    seed: int
    good: frozenset[int]
    artists: dict[int, int]


class Run(msgspec.Struct, frozen=True):
    """What one radio played."""

    shares: tuple[float, ...]
    """Of the liked style, in each block."""
    artists: int
    apart: int
    """The fewest tracks between two of one artist."""
    twice: int


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tracks", type=int, default=2000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        plain = settings(Path(home))
        with connected(plain) as ready, open_store(ready.database_url or "") as store:
            library = fill(store, asked.tracks)
            print(f"{'':8} liked, by the hundred              artists  apart  twice")
            gains = []
            for run in range(asked.runs):
                heard = play(store, ready, library, asked.steps, run, listener=f"listener {run}")
                deaf = play(store, ready, library, asked.steps, run, listener=None)
                show("hears", heard)
                show("does not", deaf)
                gains.append(np.mean(heard.shares) - np.mean(deaf.shares))
    print(f"gain in pairs: {np.mean(gains):+.3f} [{min(gains):+.3f}, {max(gains):+.3f}]")


def fill(store: Store, n: int) -> Library:
    """Two styles on both sides of the seed, each by as many artists."""
    space = raw_space(store)
    middle, towards = random_unit(2, DIM, seed=7)
    artists, good = {}, set()
    for number in range(n):
        side = 1 if number % 2 else -1
        own = random_unit(1, DIM, seed=1000 + number // (2 * _PER_ARTIST) * 2 + number % 2)[0]
        spread = random_unit(1, DIM, seed=50_000 + number)[0]
        song = unit((middle + side * 0.5 * towards + 0.4 * own + 0.4 * spread)[None])[0]
        artist = number // (2 * _PER_ARTIST) * 2 + number % 2
        tags = Tags(title=f"Song {number}", artist=f"Artist {artist}")
        path = f"/music/{number}.flac"
        track = add_track(store, space, path, levels_of(number, song=song), tags)
        artists[track] = artist
        if side > 0:
            good.add(track)
    tags = Tags(title="Seed", artist="Nobody")
    seed = add_track(store, space, "/music/seed.flac", levels_of(n, song=middle), tags)
    return Library(seed, frozenset(good), artists)


def play(
    store: Store,
    ready: Settings,
    library: Library,
    steps: int,
    seed: int,
    *,
    listener: str | None,
) -> Run:
    """One radio to its end."""
    rng = np.random.default_rng(seed)
    played: list[int] = []
    query = Query(listener=listener)
    for track in islice(radio(store, ready, [f"mess:{library.seed}"], query, seed=seed), steps):
        played.append(track.id)
        luck = rng.random()
        if listener and track.id in library.good and luck < _LIKES:
            store.verdicts.save(listener, library.seed, track.id, "like")
        elif listener and track.id not in library.good and luck < _SKIPS:
            store.verdicts.save(listener, library.seed, track.id, "skip")
    blocks = [played[start : start + _BLOCK] for start in range(0, len(played), _BLOCK)]
    return Run(
        tuple(float(np.mean([one in library.good for one in block])) for block in blocks),
        len({library.artists[one] for one in played}),
        _apart([library.artists[one] for one in played]),
        len(played) - len(set(played)),
    )


def _apart(artists: Sequence[int]) -> int:
    last: dict[int, int] = {}
    fewest = len(artists)
    for place, artist in enumerate(artists):
        if artist in last:
            fewest = min(fewest, place - last[artist] - 1)
        last[artist] = place
    return fewest


def show(name: str, run: Run) -> None:
    """A row."""
    shares = " ".join(f"{share:.2f}" for share in run.shares)
    print(f"{name:8} {shares:35} {run.artists:7} {run.apart:6} {run.twice:6}", flush=True)


if __name__ == "__main__":
    main()
