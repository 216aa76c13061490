"""A stretch of a recording as a file of its own, ready to be dragged into a DAW."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from mess_plugin.atomic_file import replacing
from mess_plugin.audio.container import Container
from mess_plugin.audio.frames import FrameReader
from mess_plugin.errors import AudioError
from mess_plugin.model import Interval

_PREROLL_S = 1.0  # decoded before the wanted second, so that codecs with memory have settled
_MOST_CHANNELS = 32
_SAMPLE_BYTES = 3  # 24 bits: what every DAW reads, and no decoder here is finer


def write_excerpt(source: Path, interval: Interval, target: Path) -> Interval:
    """Write a stretch as a WAV file of 24 bits, at the rate and with the channels of its source.

    Returns the stretch that was written, which ends where the recording does. The file is complete or
    not there; one that is there is replaced. Raises AudioError as `decode` does, `empty` where the
    recording ends before the stretch begins; OSError where the target cannot be written.
    """
    with Container(source) as container:
        context = container.stream.codec_context
        rate_hz, layout = context.sample_rate, context.layout
        n_channels = len(layout.channels)
        if n_channels > _MOST_CHANNELS:
            raise AudioError(str(source), "unreadable", f"{n_channels} channels are too many.")
        wanted = round(interval.duration_s * rate_hz)
        written = 0
        with replacing(target) as draft, wave.open(str(draft), "wb") as out:
            out.setnchannels(n_channels)
            out.setsampwidth(_SAMPLE_BYTES)
            out.setframerate(rate_hz)
            for block in _blocks(container, interval.start_s, layout.name, rate_hz, n_channels):
                part = block[: wanted - written]
                out.writeframesraw(_packed(part))
                written += len(part)
                if written >= wanted:
                    break
            if not written:
                raise AudioError(
                    str(source), "empty", f"The recording ends before {interval.start_s:g} s."
                )
    return Interval(interval.start_s, interval.start_s + written / rate_hz)


def _blocks(
    container: Container, start_s: float, layout: str, rate_hz: int, n_channels: int
) -> Iterator[Any]:
    """(n_samples, n_channels) int32 from a second on."""
    resampler = AudioResampler("s32", layout, rate_hz)
    for timed in FrameReader(container).frames(start_s, _PREROLL_S):
        early_s = start_s - timed.time_s if timed.time_s is not None else 0.0
        skipped = max(0, round(early_s * rate_hz))
        timed.frame.pts = None
        for ready in resampler.resample(timed.frame):
            samples = _samples(ready, n_channels)[skipped:]
            skipped = max(0, skipped - ready.samples)
            if len(samples):
                yield samples


def _samples(frame: AudioFrame, n_channels: int) -> Any:
    return frame.to_ndarray().reshape(-1, n_channels)


def _packed(samples: Any) -> bytes:
    """int32 → the upper 24 bits, little-endian."""
    as_bytes = np.ascontiguousarray(samples, "<i4").view(np.uint8).reshape(-1, 4)
    return as_bytes[:, 1:].tobytes()
