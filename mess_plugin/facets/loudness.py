"""Loudness after EBU R128 (ITU-R BS.1770), metered by FFmpeg on the undiminished channels."""

from __future__ import annotations

from fractions import Fraction

from av.audio.frame import AudioFrame
from av.filter import Graph

from mess_plugin.facets.values import Loudness

_GATE_LUFS = -70.0  # nothing quieter counts, so this is what silence reads
_LEAST_S = 0.4  # one gating block


class LoudnessMeter:
    """Takes decoded frames and reads the meter at the end.

    Frames of another format than the first (a stream that changes in the middle) are not metered.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._format: tuple[int, str, str] | None = None
        self._n_samples = 0
        self._reading: dict[str, str] = {}

    def push(self, frame: AudioFrame) -> None:
        """Take one frame; its time stamps are overwritten."""
        form = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._graph is None:
            self._graph, self._format = _meter(form), form
        if form != self._format:
            return
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = self._n_samples
        self._n_samples += frame.samples
        self._graph.push(frame)
        self._read()

    def finish(self) -> Loudness:
        """Integrated loudness and range of all that was pushed."""
        if self._graph is None or self._format is None:
            return Loudness(None, None)
        self._graph.push(None)
        self._read()
        if self._n_samples < _LEAST_S * self._format[0]:
            return Loudness(None, None)
        integrated = float(self._reading.get("lavfi.r128.I", _GATE_LUFS))
        if not integrated > _GATE_LUFS:
            return Loudness(None, None)
        return Loudness(integrated, float(self._reading.get("lavfi.r128.LRA", 0.0)))

    def _read(self) -> None:
        assert self._graph is not None
        while True:
            try:
                metered = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(metered, AudioFrame)
            if metered.metadata:
                self._reading = dict(metered.metadata)


def _meter(form: tuple[int, str, str]) -> Graph:
    rate_hz, sample_format, layout = form
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=rate_hz, format=sample_format, layout=layout, time_base=Fraction(1, rate_hz)
    )
    meter = graph.add("ebur128", "metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph
