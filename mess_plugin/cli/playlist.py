"""`mess playlist alike | journey | arc | radio`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from mess_plugin.cli.output import F, encoder_option, print_json, print_table, say, table_options
from mess_plugin.cli.play import play_option, play_tracks
from mess_plugin.cli.shared_options import (
    ANSWERS,
    ASKED,
    GroupedCommand,
    check_out,
    complete_ref,
    grouped,
    k_option,
    out_option,
)
from mess_plugin.cli.steering import steering_options
from mess_plugin.config import Settings, load_settings
from mess_plugin.documents import playlist_document, track_document
from mess_plugin.errors import UsageError
from mess_plugin.playlists import generate
from mess_plugin.playlists.formats import WRITERS, write_playlist
from mess_plugin.playlists.generate import Playlist
from mess_plugin.playlists.radio import Anchor, RadioStyle, first_of_radio
from mess_plugin.search import parsing
from mess_plugin.search.references import find_track
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store

_SHARED = (
    k_option(25, "How many tracks.", group=ASKED),
    grouped(
        ASKED, "--seed", default=0, show_default=True, metavar="N", help="The same list again."
    ),
    out_option("Write it to a file instead: .m3u8, .xspf or .json.", group=ANSWERS),
    grouped(ANSWERS, "--relative", is_flag=True, help="Paths in --out as seen from its folder."),
    play_option,
    steering_options,
    encoder_option,
    table_options,
)


def _shared(function: F) -> F:
    for option in reversed(_SHARED):
        function = option(function)
    return function


@click.group()
def playlist() -> None:
    """Make playlists that flow; the same question and --seed give the same list."""


@playlist.command(cls=GroupedCommand)
@click.argument("refs", nargs=-1, required=True, metavar="REF…", shell_complete=complete_ref)
@_shared
def alike(refs: tuple[str, ...], **words: Any) -> None:
    """Make a list of tracks like REF, ordered so that each leads to the next."""
    _run(
        words,
        lambda store, settings: generate.alike(
            store, settings, refs, parsing.query(words), n=words["k"], seed=words["seed"]
        ),
    )


@playlist.command(cls=GroupedCommand)
@click.argument("start", shell_complete=complete_ref)
@click.argument("end", shell_complete=complete_ref)
@_shared
def journey(start: str, end: str, **words: Any) -> None:
    """Make an even path from START to END, both included."""
    _run(
        words,
        lambda store, settings: generate.journey(
            store, settings, start, end, parsing.query(words), n=words["k"], seed=words["seed"]
        ),
    )


@playlist.command(cls=GroupedCommand)
@click.argument("curve")
@grouped(
    ASKED, "--like", multiple=True, metavar="REF", help="Only from the tracks most like these."
)
@_shared
def arc(curve: str, like: tuple[str, ...], **words: Any) -> None:
    """Make a list whose energy follows CURVE.

    CURVE is rise, fall, peak, valley, wave, or points from 0 to 1 such as 0.2,0.9,0.4.
    """
    points = generate.parse_curve(curve)
    _run(
        words,
        lambda store, settings: generate.arc(
            store,
            settings,
            points,
            parsing.query(words),
            refs=like,
            n=words["k"],
            seed=words["seed"],
        ),
    )


@playlist.command(cls=GroupedCommand)
@click.argument("refs", nargs=-1, required=True, metavar="REF…", shell_complete=complete_ref)
@grouped(
    ASKED,
    "--strictness",
    default=0.5,
    show_default=True,
    metavar="0..1",
    help="1 plays the nearest track, 0 draws from the 40 nearest.",
)
@grouped(
    ASKED,
    "--anchor",
    type=click.Choice(get_args(Anchor)),
    default="seed",
    show_default=True,
    help="Stay near REF, or follow the track before.",
)
@grouped(
    ASKED, "--played", multiple=True, metavar="REF", help="Came already, in order: go on after it."
)
@_shared
@click.pass_context
def radio(
    context: click.Context,
    /,
    refs: tuple[str, ...],
    played: tuple[str, ...],
    strictness: float,
    anchor: Anchor,
    **words: Any,
) -> None:
    """Play on from REF: the first N of an endless list that heeds --listener.

    Without --seed it is another list each day.
    """
    is_given = context.get_parameter_source("seed") is ParameterSource.COMMANDLINE
    _run(
        words,
        lambda store, settings: first_of_radio(
            store,
            settings,
            refs,
            parsing.query(words),
            n=words["k"],
            seed=words["seed"] if is_given else None,
            style=RadioStyle(strictness, anchor),
            played=[find_track(store, ref) for ref in played],
        ),
    )


def _run(words: dict[str, Any], make: Callable[[Store, Settings], Playlist]) -> None:
    out: Path | None = words["out"]
    check_out(out, tuple(WRITERS), "playlist")
    if words["relative"] and out is None:
        raise UsageError("--relative says how paths are written with --out: give --out too")
    settings = load_settings(encoder=words["encoder"])
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        made = make(store, ready)
    if out is not None:
        write_playlist(out, made.tracks, relative=words["relative"])
        say(f"{len(made.tracks)} tracks written to {out}")
    for note in made.notes:
        say(note)
    if words["as_json"]:
        print_json(playlist_document(made))
    elif out is None:
        _print(made)
    if words["play"] and made.tracks:
        play_tracks(settings, made.tracks)


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
    records = [
        {"rank": rank, **track_document(track), "fit": fit, "transition": step}
        for rank, (track, fit, step) in enumerate(
            zip(made.tracks, fits, steps[: len(made.tracks)], strict=True), start=1
        )
    ]
    print_table(["#", "#id", "track", "#fit", "#transition"], rows, records=records)
