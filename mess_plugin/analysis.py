"""The hierarchy: audio blocks → windows → frames → timeline → window, section and song vectors.

Nothing here knows files or the database, so indexing, lookups by excerpt, `mess embed` and the
evaluation all hear music the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import AudioError
from mess_plugin.model import Float32, Level, LevelVectors, Projection, Timeline, Waveform
from mess_plugin.pooling import audible, pool, project
from mess_plugin.sections import Sections, find_sections
from mess_plugin.windows import SILENCE_DB, TimelineBuilder, Window, grid, slide

BATCH_WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that was heard in one recording.

    pooled: per level the intervals, labels and pooled frames, neither projected nor of unit length.
    """

    timeline: Timeline
    sections: Sections
    pooled: Mapping[Level, LevelVectors]

    @property
    def duration_s(self) -> float:
        """Length of what was decoded, in seconds."""
        return self.timeline.duration_s


def analyse(
    blocks: Iterable[Waveform], encoder: Encoder, *, window_s: float, hop_s: float, source: str
) -> Analysis:
    """Listen to a recording from beginning to end, in bounded memory.

    blocks: mono float32 at the encoder's rate. window_s, hop_s: of the stored windows.
    source: the name of the recording, for errors. Raises AudioError: "empty" without any samples,
    "too-short" below the encoder's minimum, "silent" where nothing rises above SILENCE_DB, "damaged"
    or "encoder" where samples or frames are no numbers.
    """
    timeline = listen(blocks, encoder, source)
    return summarise(timeline, encoder.info.pooling, window_s=window_s, hop_s=hop_s)


def summarise(timeline: Timeline, pooling: str, *, window_s: float, hop_s: float) -> Analysis:
    """Windows, sections and the whole of what was heard, pooled."""
    sections = find_sections(timeline)
    whole = np.array([[0.0, timeline.duration_s]], dtype=np.float32)
    windows = grid(timeline.duration_s, window_s, hop_s)
    parts = {
        Level.SONG: (whole, ("",)),
        Level.SECTION: (sections.intervals, sections.labels),
        Level.WINDOW: (windows, ("",) * len(windows)),
    }
    pooled = {
        level: _pool_level(timeline, intervals, labels, pooling)
        for level, (intervals, labels) in parts.items()
    }
    return Analysis(timeline, sections, pooled)


def listen(blocks: Iterable[Waveform], encoder: Encoder, source: str) -> Timeline:
    """The timeline of a recording; errors as for `analyse`."""
    info = encoder.info
    builder = TimelineBuilder(info.rate_hz)
    windows = slide(blocks, round(info.window_s * info.rate_hz), round(info.hop_s * info.rate_hz))
    shortest = round(info.min_s * info.rate_hz)
    heard_s = 0.0
    for batch in _batches(windows):
        n_samples = len(batch[0].waveform)
        if n_samples < shortest:
            raise AudioError(
                source,
                "too-short",
                f"only {n_samples / info.rate_hz:.2f} s of sound; at least {info.min_s:g} s is needed",
            )
        waveforms = np.stack([window.waveform for window in batch])
        if not np.isfinite(waveforms).all():
            raise AudioError(source, "damaged", "it holds samples that are no numbers")
        frames = encoder.encode(waveforms)
        if not np.isfinite(frames).all():
            raise AudioError(source, "encoder", f"{info.name} gave values that are no numbers")
        for window, window_frames in zip(batch, frames, strict=True):
            builder.add(window, window_frames)
        heard_s += n_samples / info.rate_hz
    if not heard_s:
        raise AudioError(source, "empty", "there is no sound in it")
    timeline = builder.build()
    if timeline.loudness_db.max() < SILENCE_DB:
        raise AudioError(
            source, "silent", f"nothing in it is louder than {SILENCE_DB:g} dB: there is no music"
        )
    return timeline


def embed(
    analysis: Analysis, level: Level, projections: Mapping[Level, Projection]
) -> LevelVectors:
    """One level of an analysis as unit vectors, through the encoder's own projection if it has one.

    These are the vectors of the encoder's raw space.
    """
    heard = analysis.pooled[level]
    vectors = project(heard.vectors, projections.get(level))
    return LevelVectors(heard.intervals, vectors, heard.labels)


def _pool_level(
    timeline: Timeline, intervals: Float32, labels: tuple[str, ...], pooling: str
) -> LevelVectors:
    heard = audible(timeline, intervals)
    kept = intervals[heard]
    names = tuple(label for label, keep in zip(labels, heard, strict=True) if keep)
    return LevelVectors(kept, pool(timeline, kept, pooling), names)


def _batches(windows: Iterator[Window]) -> Iterator[list[Window]]:
    """Groups of equally long windows; a shorter last window never comes with others."""
    while batch := list(islice(windows, BATCH_WINDOWS)):
        yield batch
