"""Packets → decoded frames with their times, past damage, from any moment of the file."""

from __future__ import annotations

from collections.abc import Iterator

import av
import msgspec
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from mess_plugin.audio.container import Container


class TimedFrame(msgspec.Struct, frozen=True):
    """A decoded frame; time_s counts from the first frame of the file, None where not known."""

    frame: AudioFrame
    time_s: float | None
    after_damage: bool


class FrameReader:
    """The frames of a container. `damaged_packets` counts those that the decoder refused."""

    def __init__(self, container: Container) -> None:
        self.damaged_packets = 0
        self._container = container
        self._tick_s = container.tick_s()
        self._origin: int | None = None
        self._part_start_s = 0.0
        self._last_end_s = 0.0
        self._count_from_s = 0.0

    def frames(self, start_s: float, preroll_s: float) -> Iterator[TimedFrame]:
        """Frames from `preroll_s` before `start_s`, or from further ahead where seeking cannot.

        The first frame of the file is decoded in any case: it defines time zero. Damage before
        `start_s` is passed over without being counted.
        """
        self._count_from_s = start_s
        frames = self._decoded()
        first = next(frames, None)
        if (
            first is not None
            and start_s > 2 * preroll_s
            and self._container.times_survive_seeking()
        ):
            sought = self._frames_at(start_s - preroll_s)
            if sought is None:
                self._seek(0.0)
                sought = self._decoded()
            frames = sought
            first = next(frames, None)
        if first is not None:
            yield first
            yield from frames
        while self._next_part():
            yield from self._decoded()

    def _next_part(self) -> bool:
        """Go on to the next part of a file that has several; its time goes on as well."""
        stated_s = self._container.part_duration_s() or 0.0
        if not self._container.next_part():
            return False
        self._part_start_s = max(self._part_start_s + stated_s, self._last_end_s)
        self._origin, self._tick_s = None, self._container.tick_s()
        return True

    def _frames_at(self, time_s: float) -> Iterator[TimedFrame] | None:
        """Frames from `time_s` or before, None if seeking did not lead there."""
        if not self._seek(time_s):
            return None
        frames = self._decoded()
        first = next(frames, None)
        if first is None or first.time_s is None or first.time_s > time_s:
            return None
        return _chained(first, frames)

    def _seek(self, time_s: float) -> bool:
        offset = (self._origin or 0) + int(time_s / self._tick_s)
        self._container.source.search_everywhere()
        try:
            self._container.av.seek(offset, stream=self._container.stream)
        except av.FFmpegError:
            self._container.source.check()
            return False
        finally:
            self._container.source.found_something()
        return True

    def _decoded(self) -> Iterator[TimedFrame]:
        after_damage = False
        for packet in self._container.packets():
            try:
                frames = packet.decode()
            except EOFError:
                return
            except av.FFmpegError:
                after_damage = True
                self._count(packet)
                continue
            for frame in frames:
                time_s = self._time_s(frame.pts)
                if self._container.has_parts and frame.sample_rate:
                    self._last_end_s = (
                        self._last_end_s if time_s is None else time_s
                    ) + frame.samples / frame.sample_rate
                yield TimedFrame(frame, time_s, after_damage)
                after_damage = False

    def _time_s(self, pts: int | None) -> float | None:
        if pts is None:
            return None
        if self._origin is None:
            self._origin = pts
        return self._part_start_s + (pts - self._origin) * self._tick_s

    def _count(self, packet: Packet[AudioStream]) -> None:
        time_s = None
        if packet.pts is not None:
            time_s = self._part_start_s + (packet.pts - (self._origin or 0)) * self._tick_s
        if time_s is None or time_s >= self._count_from_s:
            self.damaged_packets += 1


def _chained(first: TimedFrame, rest: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
    yield first
    yield from rest
