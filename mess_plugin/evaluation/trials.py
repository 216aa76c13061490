"""Robustness and section tasks for anything that takes a waveform: an encoder, a space, the store."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
import numpy as np

from mess_plugin.evaluation import tasks
from mess_plugin.evaluation.tasks import ExcerptPosition, TaskResult
from mess_plugin.evaluation.transforms import TRANSFORMS, degrade
from mess_plugin.model import Float32, Waveform

HALF_S = 30.0
SECTION_S = 10.0
SECTIONS_PER_TRACK = 3


class Section(msgspec.Struct, frozen=True):
    """An excerpt to be looked up."""

    place: ExcerptPosition
    """Where it really is."""
    waveform: Waveform
    """Degraded."""


def transformed(name: str, waveform: Waveform, rate_hz: int, key: str, seed: int = 0) -> Waveform:
    """One of TRANSFORMS; chance depends on the seed and on the recording's key alone."""
    return TRANSFORMS[name](waveform, rate_hz, _chance(key, name, seed))


def halves(waveform: Waveform, rate_hz: int) -> tuple[Waveform, Waveform]:
    """Cut 30 s around the first and the third quarter, less where they would overlap."""
    length = min(round(HALF_S * rate_hz), len(waveform) // 2)
    starts = [round(share * len(waveform)) - length // 2 for share in (0.25, 0.75)]
    first, second = (waveform[max(0, s) : max(0, s) + length] for s in starts)
    return first, second


def draw_sections(
    waveform: Waveform, rate_hz: int, recording: int, key: str, seed: int = 0
) -> Iterator[Section]:
    """Three random 10 s excerpts of a recording, degraded.

    recording: its number in the list that is searched. A recording of under 10 s gives itself.
    """
    length = round(SECTION_S * rate_hz)
    rng = _chance(key, "section", seed)
    for _ in range(SECTIONS_PER_TRACK):
        start = int(rng.integers(0, max(1, len(waveform) - length)))
        worn = degrade(waveform[start : start + length], rate_hz, rng)
        yield Section(ExcerptPosition(recording, start / rate_hz), worn)


def robustness(
    recordings: Iterable[tuple[int, str, Waveform]],
    rate_hz: int,
    embed: Callable[[Waveform], Float32],
    originals: Float32,
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> list[TaskResult]:
    """Find each transformed recording's original among all: a result per transformation.

    recordings: (row of the original, key, waveform), consumed once. embed: waveform → (dim,) unit
    vector in the space of `originals`, (n_database, dim). groups: n_database names, for intervals.
    """
    truth: list[int] = []
    vectors: dict[str, list[Float32]] = {name: [] for name in TRANSFORMS}
    for row, key, waveform in recordings:
        truth.append(row)
        for name, found in vectors.items():
            found.append(embed(transformed(name, waveform, rate_hz, key, seed)))
    names = [groups[row] for row in truth]
    width = originals.shape[1]
    return [
        tasks.same_recording(
            name, np.reshape(np.array(found), (-1, width)) @ originals.T, truth, names
        )
        for name, found in vectors.items()
    ]


def lookup(
    sections: Iterable[Section],
    find: Callable[[Waveform], ExcerptPosition | None],
    groups: Sequence[str],
    *,
    same_sound: Callable[[ExcerptPosition, ExcerptPosition], bool] | None = None,
) -> TaskResult:
    """Look each section up. groups: a name for each recording of the list, for intervals."""
    asked = list(sections)
    return tasks.section_lookup(
        [find(section.waveform) for section in asked],
        [section.place for section in asked],
        [groups[section.place.recording] for section in asked],
        same_sound=same_sound,
    )


def _chance(key: str, purpose: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"{key}/{purpose}".encode())])
