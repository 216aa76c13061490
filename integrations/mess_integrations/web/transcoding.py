"""Sound as browsers play it: the same recording, encoded again while it is sent, from any second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import av
import msgspec
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from mess_plugin.audio.container import Container
from mess_plugin.audio.frames import FrameReader
from mess_plugin.errors import AudioError

_PREROLL_S = 1.0  # decoded before the wanted second, so that codecs with memory have settled


class Form(msgspec.Struct, frozen=True):
    """How sound is sent: names of FFmpeg's container, codec and sample format."""

    container: str
    codec: str
    sample_format: str
    rate_hz: int
    bit_rate: int | None
    media_type: str


FORMS = {
    "opus": Form("ogg", "libopus", "flt", 48_000, 160_000, "audio/ogg; codecs=opus"),
    "flac": Form("flac", "flac", "s16", 48_000, None, "audio/flac"),
}


class _Pipe:
    """What a muxer writes, taken away piece by piece."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        data, self._written = bytes(self._written), bytearray()
        return data


def transcoded(path: Path, form: Form, start_s: float = 0.0) -> Iterator[bytes]:
    """The sound from a second on, in pieces of a second or less; stereo.

    The first piece comes after the file was opened. Raises AudioError until then; what fails later
    ends the sound. Memory: one frame and one piece.
    """
    container = Container(path)  # opened now, so that a missing file is an answer and not a silence

    def run() -> Iterator[bytes]:
        with container:
            yield from _encoded(container, form, start_s)

    return run()


def _encoded(container: Container, form: Form, start_s: float) -> Iterator[bytes]:
    pipe = _Pipe()
    with av.open(cast(Any, pipe), "w", format=form.container) as out:
        stream = cast(AudioStream, out.add_stream(form.codec, rate=form.rate_hz, layout="stereo"))
        stream.codec_context.format = form.sample_format
        if form.bit_rate is not None:
            stream.codec_context.bit_rate = form.bit_rate
        stream.codec_context.open()
        frame_size = stream.codec_context.frame_size or 4096
        resampler = AudioResampler(form.sample_format, "stereo", form.rate_hz, frame_size)
        sent = 0
        for frame in _from(container, start_s):
            frame.pts = None
            for ready in resampler.resample(frame):
                ready.pts, sent = sent, sent + ready.samples
                out.mux(stream.encode(ready))
            if data := pipe.take():
                yield data
        for ready in resampler.resample(None):
            ready.pts, sent = sent, sent + ready.samples
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    yield pipe.take()


def _from(container: Container, start_s: float) -> Iterator[AudioFrame]:
    """Frames from a second on; damage is passed over."""
    try:
        for timed in FrameReader(container).frames(start_s, _PREROLL_S):
            early_s = start_s - (timed.time_s or 0.0)
            early = round(early_s * timed.frame.sample_rate) if timed.time_s is not None else 0
            if early < timed.frame.samples:
                yield _cut(timed.frame, early) if early > 0 else timed.frame
    except AudioError:
        return  # the rest cannot be read: what was heard stays heard


def _cut(frame: AudioFrame, n_samples: int) -> AudioFrame:
    """A frame without its first samples: some codecs have frames of more than a second."""
    samples: Any = frame.to_ndarray()
    per_row = 1 if frame.format.is_planar else len(frame.layout.channels)
    rest: Any = np.ascontiguousarray(samples[:, n_samples * per_row :])
    cut = AudioFrame.from_ndarray(rest, format=frame.format.name, layout=frame.layout.name)
    cut.sample_rate = frame.sample_rate
    return cut
