"""The stretches of answers as files in a folder, named for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mess_plugin.audio.excerpts import write_excerpt
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.library.pathmap import SAME_PATHS, PathMap
from mess_plugin.model import Interval, Match, Track
from mess_plugin.search.explain import timestamp

MOST_S = 60.0
"""An excerpt is at most so long; without a stretch to point at it is the track's beginning."""
_LONGEST_NAME = 120
_UNWANTED = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]+')


def write_excerpts(
    matches: Sequence[Match], folder: Path, here: PathMap = SAME_PATHS
) -> tuple[list[Path], list[str]]:
    """Write the matched stretches as WAV files; their paths, and one line for each that cannot be read.

    Files of the same names are replaced. here: where this machine has the library's folders. Raises
    UsageError where the folder cannot be written.
    """
    written, problems = [], []
    for match in matches:
        try:
            written.append(write_one(match.track, match.match_section, folder, here, match))
        except AudioError as error:
            problems.append(str(error))
    return written, problems


def write_one(
    track: Track,
    stretch: Interval | None,
    folder: Path,
    here: PathMap = SAME_PATHS,
    match: Match | None = None,
) -> Path:
    """Write one stretch of a track, at most MOST_S of it. Raises AudioError, UsageError."""
    interval = stretch or Interval(0.0, track.duration_s)
    interval = Interval(interval.start_s, min(interval.end_s, interval.start_s + MOST_S))
    if track.path is None:
        raise AudioError(track.describe(), "missing", "No file of this track is there now.")
    target = folder / _name(track, interval, match)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_excerpt(Path(here.local(track.path)), interval, target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _name(track: Track, interval: Interval, match: Match | None) -> str:
    """Such as "01 0.91 Ann - Song 1.12-1.22.wav", without what file systems dislike."""
    title = track.tags.title or Path(track.path or "").stem
    who = f"{track.tags.artist} - " if track.tags.artist else ""
    where = f"{timestamp(interval.start_s)}-{timestamp(interval.end_s)}".replace(":", ".")
    rank = f"{match.rank:02d} {match.score:.2f} " if match else ""
    shown = _UNWANTED.sub("_", f"{who}{title}").strip(" .")[:_LONGEST_NAME]
    return f"{rank}{shown} {where}.wav"
