"""The hierarchy: audio blocks → windows → frames → timeline → window, section and song vectors.

Nothing here knows files or the database, so indexing, lookups by excerpt, `mess embed` and the
evaluation all hear music the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from mess_plugin.analysis.pooling import audible, pool, project
from mess_plugin.analysis.sections import Sections, find_sections
from mess_plugin.analysis.timeline import TimelineBuilder
from mess_plugin.analysis.windows import SILENCE_DB, Window, grid, slide, spread
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.errors import AudioError
from mess_plugin.model import Float32, Level, LevelVectors, Projection, Timeline, Waveform

BATCH_WINDOWS = 8
_MOST_HELD = 4 * BATCH_WINDOWS


class Analysis(msgspec.Struct, frozen=True):
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
    blocks: Iterable[Waveform],
    encoder: Encoder,
    *,
    window_s: float,
    hop_s: float,
    source: str,
    coverage: float = 1.0,
) -> Analysis:
    """Listen to a recording from beginning to end, in bounded memory.

    blocks: mono float32 at the encoder's rate. window_s, hop_s: of the stored windows.
    source: the name of the recording, for errors. coverage: see `mess_plugin.analysis.windows.spread`.
    Raises AudioError: "empty" without any samples,
    "too-short" below the encoder's minimum, "silent" where nothing rises above SILENCE_DB, "damaged"
    or "encoder" where samples or frames are no numbers.
    """
    timeline = listen(blocks, encoder, source, coverage)
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


def listen(
    blocks: Iterable[Waveform], encoder: Encoder, source: str, coverage: float = 1.0
) -> Timeline:
    """The timeline of a recording; coverage and errors as for `analyse`."""
    info = encoder.info
    builder = TimelineBuilder(info.rate_hz)
    windows = slide(blocks, round(info.window_s * info.rate_hz), round(info.hop_s * info.rate_hz))
    n_windows = 0
    for batch in _batches(spread(windows, coverage)):
        waveforms = _stacked(batch, info, source)
        heard = np.array([is_heard for _, is_heard in batch])
        wanted = waveforms if heard.all() else waveforms[heard]
        frames = iter(_encoded(encoder, wanted, source) if len(wanted) else ())
        # Those with frames first: how fine the timeline is follows from them.
        for window, is_heard in sorted(batch, key=lambda one: not one[1]):
            if is_heard:
                builder.add(window, next(frames))
            else:
                builder.skip(window)
        n_windows += len(batch)
        builder.settle(batch[-1][0].start_samples)
    if not n_windows:
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


def _stacked(batch: Sequence[tuple[Window, bool]], info: EncoderInfo, source: str) -> Float32:
    """The waveforms of equally long windows; AudioError where an encoder cannot take them."""
    waveforms = np.stack([window.waveform for window, _ in batch])
    shortest = round(info.min_s * info.rate_hz)
    if waveforms.shape[1] < shortest:
        # Rounded down: what is too short never reads like the minimum.
        hundredths = 100 * waveforms.shape[1] // info.rate_hz
        raise AudioError(
            source,
            "too-short",
            f"only {hundredths / 100:.2f} s of sound; at least {info.min_s:g} s is needed",
        )
    if not np.isfinite(waveforms).all():
        raise AudioError(source, "damaged", "it holds samples that are no numbers")
    return waveforms


def _encoded(encoder: Encoder, waveforms: Float32, source: str) -> Float32:
    frames = encoder.encode(waveforms)
    if not np.isfinite(frames).all():
        raise AudioError(source, "encoder", f"{encoder.info.name} gave values that are no numbers")
    return frames


def _batches(windows: Iterator[tuple[Window, bool]]) -> Iterator[list[tuple[Window, bool]]]:
    """Groups of equally long windows; a shorter last window never comes with others.

    A group ends when there is enough to hear, or, where little is heard, before it gets large.
    """
    batch: list[tuple[Window, bool]] = []
    n_heard = 0
    for window, heard in windows:
        batch.append((window, heard))
        n_heard += heard
        if n_heard == BATCH_WINDOWS or len(batch) == _MOST_HELD:
            yield batch
            batch, n_heard = [], 0
    if batch:
        yield batch
