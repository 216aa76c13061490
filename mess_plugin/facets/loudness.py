"""Loudness after EBU R128 (ITU-R BS.1770), metered by FFmpeg on the undiminished channels."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph

from mess_plugin.audio.downmix import MOST_PLANES, FrameFormat, Samples
from mess_plugin.facets.values import Loudness

_GATE_LUFS = -70.0  # nothing quieter counts, so this is what silence reads
_LEAST_S = 0.4  # one gating block


class LoudnessMeter:
    """Takes decoded sound and reads the meter at the end.

    Sound of another format than the first (a stream that changes in the middle) is not metered, nor
    is any that FFmpeg's meter does not take, such as that of more than 64 channels.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._format: FrameFormat | None = None
        self._n_samples = 0
        self._last: AudioFrame | None = None

    def push(self, samples: Samples, form: FrameFormat) -> None:
        """Take (n_channels, n) samples of one format."""
        if self._format is None:
            self._format = form
            self._graph = _meter(form)
        if form != self._format or self._graph is None:
            return
        if form.n_channels > MOST_PLANES:
            samples = np.ascontiguousarray(samples.T).reshape(1, -1)
        kind = "flt" if form.n_channels > MOST_PLANES else "fltp"
        frame = AudioFrame.from_ndarray(samples, format=kind, layout=form.layout)
        frame.sample_rate = form.rate_hz
        frame.time_base = Fraction(1, form.rate_hz)
        frame.pts = self._n_samples
        self._n_samples += frame.samples
        try:
            self._graph.push(frame)
            self._read(self._graph)
        except av.FFmpegError:
            self._graph = None

    def finish(self) -> Loudness:
        """Integrated loudness and range of all that was pushed."""
        if self._graph is None or self._format is None:
            return Loudness(None, None)
        before = self._last
        try:
            self._graph.push(None)
            self._read(self._graph)
        except av.FFmpegError:
            return Loudness(None, None)
        if self._n_samples < _LEAST_S * self._format.rate_hz:
            return Loudness(None, None)
        # The rest that is flushed may be shorter than a step of the meter and carry no reading.
        readings = (frame.metadata for frame in (self._last, before) if frame is not None)
        reading = next(filter(None, readings), {})
        integrated = float(reading.get("lavfi.r128.I", _GATE_LUFS))
        if not integrated > _GATE_LUFS:
            return Loudness(None, None)
        return Loudness(integrated, float(reading.get("lavfi.r128.LRA", 0.0)))

    def _read(self, graph: Graph) -> None:
        while True:
            try:
                metered = graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(metered, AudioFrame)
            self._last = metered


def _meter(form: FrameFormat) -> Graph | None:
    """FFmpeg's meter, None where it takes no sound of this format."""
    graph = Graph()
    try:
        source = graph.add_abuffer(
            sample_rate=form.rate_hz,
            format="flt" if form.n_channels > MOST_PLANES else "fltp",
            layout=form.layout,
            time_base=Fraction(1, form.rate_hz),
        )
        meter = graph.add("ebur128", "metadata=1:framelog=quiet")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
    except (av.FFmpegError, ValueError):
        return None
    return graph
