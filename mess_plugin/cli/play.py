"""`mess play` and `--play`: tracks in a player of this machine, from the second that matters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from mess_plugin.cli.output import F, say
from mess_plugin.cli.shared_options import ANSWERS, complete_ref, grouped, time
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import UsageError
from mess_plugin.library.pathmap import PathMap
from mess_plugin.logs import printable
from mess_plugin.model import Interval, Track
from mess_plugin.playlists.formats import write_m3u
from mess_plugin.search.references import check_interval, find_track, interval_of
from mess_plugin.services import connected
from mess_plugin.store import open_store


def play_option(function: F) -> F:
    """The option --play."""
    return grouped(ANSWERS, "--play", is_flag=True, help="Play them, from where they match.")(
        function
    )


class PlayedFile(msgspec.Struct, frozen=True):
    """What a player gets."""

    track: Track
    path: str
    """Absolute, on this machine."""
    start_s: float = 0.0
    end_s: float | None = None
    """None: to the end."""


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF…", shell_complete=complete_ref)
@click.option("--start", "start_s", type=time, metavar="TIME", help="From here.")
@click.option("--end", "end_s", type=time, metavar="TIME", help="To here.")
def play(refs: tuple[str, ...], start_s: float | None, end_s: float | None) -> None:
    """Play tracks: with mpv or ffplay, else with the system's player.

    With --start or --end only that stretch of each is played.
    """
    settings = load_settings()
    stretch = interval_of(start_s, end_s)
    if stretch is not None:
        check_interval(stretch)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        ids = [find_track(store, ref) for ref in refs]
        tracks = store.library.get(ids)
    play_tracks(settings, [tracks[i] for i in ids if i in tracks], [stretch] * len(ids))


def play_tracks(
    settings: Settings, tracks: Sequence[Track], stretches: Sequence[Interval | None] = ()
) -> None:
    """Play tracks one after the other, and stay until the player ends.

    stretches: for each track what to play of it, None for all; an end of infinity is the track's.
    Raises UsageError where nothing can be played.
    """
    here = PathMap.parse(settings.path_map)
    wanted = []
    for track, stretch in zip(tracks, stretches or [None] * len(tracks), strict=True):
        path = next(filter(os.path.isfile, map(here.local, track.paths)), None)
        if path is None:
            say(f"no file of {track.describe()} is on this machine: left out")
        elif stretch is not None and stretch.start_s >= track.duration_s:
            say(f"{track.describe()} is only {track.duration_s:.0f} s long: left out")
        elif stretch is None:
            wanted.append(PlayedFile(track, path))
        else:
            end_s = stretch.end_s if stretch.end_s < track.duration_s else None
            wanted.append(PlayedFile(track, path, stretch.start_s, end_s))
    if not wanted:
        raise UsageError("nothing of this can be played here")
    name, player = _player()
    say(f"playing {len(wanted)} with {name}; Ctrl-C stops")
    player(settings.home, wanted)


def _player() -> tuple[str, Callable[[Path, Sequence[PlayedFile]], None]]:
    """The player and its name. Raises UsageError where there is none."""
    for name, player in _PLAYERS.items():
        if shutil.which(name) and (name != "xdg-open" or _has_desktop()):
            return name, player
    raise UsageError(
        "no player is here: install mpv, or play on the web page (`mess up`, then `mess open`)"
    )


def _has_desktop() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _mpv(_home: Path, wanted: Sequence[PlayedFile]) -> None:
    command = ["mpv", "--no-video"]
    for one in wanted:
        end = [] if one.end_s is None else [f"--end={one.end_s:.3f}"]
        command += ["--{", f"--start={one.start_s:.3f}", *end, one.path, "--}"]
    _run(command)


def _ffplay(_home: Path, wanted: Sequence[PlayedFile]) -> None:
    for one in wanted:
        say(one.track.describe())
        length = [] if one.end_s is None else ["-t", f"{one.end_s - one.start_s:.3f}"]
        _run(
            ["ffplay", "-nodisp", "-autoexit", "-loglevel", "error",
             "-ss", f"{one.start_s:.3f}", *length, one.path]
        )  # fmt: skip


def _system(opener: str) -> Callable[[Path, Sequence[PlayedFile]], None]:
    """A playlist in the home, handed to whatever opens playlists; players read the times in it."""

    def player(home: Path, wanted: Sequence[PlayedFile]) -> None:
        listing = home / "playing.m3u8"
        sections = [
            Interval(one.start_s, one.track.duration_s if one.end_s is None else one.end_s)
            if one.start_s or one.end_s is not None
            else None
            for one in wanted
        ]
        tracks = [msgspec.structs.replace(one.track, paths=(one.path,)) for one in wanted]
        write_m3u(listing, tracks, sections=sections)
        _run([opener, str(listing)])

    return player


_PLAYERS: Mapping[str, Callable[[Path, Sequence[PlayedFile]], None]] = {
    "mpv": _mpv,
    "ffplay": _ffplay,
    "open" if sys.platform == "darwin" else "xdg-open": _system(
        "open" if sys.platform == "darwin" else "xdg-open"
    ),
}


def _run(command: Sequence[str]) -> None:
    try:
        # Standard output is for answers; what a player shows goes where messages go.
        done = subprocess.run(command, check=False, stdout=2)
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be started: {error.strerror or error}") from error
    if done.returncode != 0:
        raise UsageError(f"{printable(command[0])} ended with code {done.returncode}")
