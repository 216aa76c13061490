"""`mess playlist alike | journey | arc | radio`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click

from mess_plugin.cli.output import F, encoder_option, json_option, print_json, print_table, say
from mess_plugin.cli.steering import query_of, steering_options
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import UsageError
from mess_plugin.playlist import write_json, write_m3u, write_xspf
from mess_plugin.services import connected
from mess_plugin.steering import playlists
from mess_plugin.steering.playlists import Playlist
from mess_plugin.steering.radio import radio as play
from mess_plugin.store import Store, open_store

_WRITERS = {".m3u": write_m3u, ".m3u8": write_m3u, ".xspf": write_xspf, ".json": write_json}
_SHARED = (
    click.option("--n", default=25, show_default=True, metavar="N", help="How many tracks."),
    click.option("--seed", default=0, show_default=True, metavar="N", help="The same list again."),
    click.option(
        "--out", type=click.Path(path_type=Path), metavar="FILE", help=".m3u8, .xspf or .json."
    ),
    steering_options,
    encoder_option,
    json_option,
)


def _shared(function: F) -> F:
    for option in reversed(_SHARED):
        function = option(function)
    return function


@click.group()
def playlist() -> None:
    """Make playlists that flow; the same question and --seed give the same list."""


@playlist.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF…")
@_shared
def alike(refs: tuple[str, ...], **words: Any) -> None:
    """Make a list of tracks like REF, ordered so that each leads to the next."""
    _run(
        words,
        lambda store, settings: playlists.alike(
            store, settings, refs, query_of(words), n=words["n"], seed=words["seed"]
        ),
    )


@playlist.command()
@click.argument("start")
@click.argument("end")
@_shared
def journey(start: str, end: str, **words: Any) -> None:
    """Make an even path from START to END, both included."""
    _only_filters(words, "journey")
    _run(
        words,
        lambda store, settings: playlists.journey(
            store, settings, start, end, query_of(words), n=words["n"], seed=words["seed"]
        ),
    )


@playlist.command()
@click.argument("curve")
@click.option("--like", multiple=True, metavar="REF", help="Only from the tracks most like these.")
@_shared
def arc(curve: str, like: tuple[str, ...], **words: Any) -> None:
    """Make a list whose energy follows CURVE.

    CURVE is rise, fall, peak, valley, wave, or points from 0 to 1 such as 0.2,0.9,0.4.
    """
    if not like:
        _only_filters(words, "arc without --like")
    points = playlists.parse_curve(curve)
    _run(
        words,
        lambda store, settings: playlists.arc(
            store, settings, points, query_of(words), refs=like, n=words["n"], seed=words["seed"]
        ),
    )


@playlist.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF…")
@_shared
def radio(refs: tuple[str, ...], **words: Any) -> None:
    """Play on from REF: the first N of an endless list that heeds --listener."""
    _only_filters(words, "radio", "listener")

    def first_n(store: Store, settings: Settings) -> Playlist:
        tracks = play(store, settings, refs, query_of(words), seed=words["seed"])
        return Playlist(tuple(islice(tracks, words["n"])), (), ())

    _run(words, first_n)


def _only_filters(words: dict[str, Any], what: str, *allowed: str) -> None:
    """Refuse, rather than ignore, what a kind of list cannot heed."""
    unheeded = (
        "emphasis", "only", "exact_key", "against", "per_artist", "per_album", "diversity",
        "listener",
    )  # fmt: skip
    for name in unheeded:
        if words[name] and name not in allowed:
            option = {"against": "not"}.get(name, name).replace("_", "-")
            raise UsageError(f"{what} does not heed --{option}: leave it out")


def _run(words: dict[str, Any], make: Callable[[Store, Settings], Playlist]) -> None:
    out: Path | None = words["out"]
    if out is not None and out.suffix.lower() not in _WRITERS:
        raise UsageError(f"{out} is no playlist: give it the ending {', '.join(_WRITERS)}")
    settings = load_settings(encoder=words["encoder"])
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        made = make(store, ready)
    if out is not None:
        _WRITERS[out.suffix.lower()](out, made.tracks)
        say(f"{len(made.tracks)} tracks written to {out}")
    for note in made.notes:
        say(note)
    if words["as_json"]:
        print_json(_document(made))
    elif out is None:
        _print(made)


def _document(made: Playlist) -> dict[str, object]:
    return {
        "tracks": [
            {
                "id": track.id,
                "path": track.path,
                "title": track.tags.title,
                "artist": track.tags.artist,
                "album": track.tags.album,
                "duration_s": round(track.duration_s, 3),
            }
            for track in made.tracks
        ],
        "fits": [round(fit, 6) for fit in made.fits],
        "smoothness": [round(step, 6) for step in made.smoothness],
        "notes": list(made.notes),
    }


def _print(made: Playlist) -> None:
    steps = ("", *(f"{step:.2f}" for step in made.smoothness))
    steps += ("",) * (len(made.tracks) - len(steps))
    fits = tuple(f"{fit:.2f}" for fit in made.fits) or ("",) * len(made.tracks)
    rows = [
        (place, track.id, track.describe(), fit, step)
        for place, (track, fit, step) in enumerate(
            zip(made.tracks, fits, steps[: len(made.tracks)], strict=True), start=1
        )
    ]
    print_table(["#", "#id", "track", "#fit", "#transition"], rows)
