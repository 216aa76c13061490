"""A cache on disk of decoded excerpts, plain or transformed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import av
import msgspec
import numpy as np
from av.audio.resampler import AudioResampler

from mess_plugin.atomic_file import replacing
from mess_plugin.audio.container import ODD_METADATA
from mess_plugin.errors import AudioError
from mess_plugin.evaluation.trials import transformed
from mess_plugin.model import Interval, Waveform


class ExcerptCache(msgspec.Struct, frozen=True):
    """Decoded excerpts under `folder`, mono at rate_hz, as half-precision floats.

    Half precision leaves an error 66 dB below the signal. A file that changed is decoded again.
    """

    folder: Path
    rate_hz: int

    def middle(self, path: Path, length_s: float) -> Waveform:
        """Take the middle of a recording, or all of it where it is shorter."""
        middle_s = duration_s(path) / 2
        return self.around(path, middle_s, length_s)

    def around(self, path: Path, centre_s: float, length_s: float) -> Waveform:
        """length_s centred at centre_s, less where that reaches beyond the recording."""
        interval = Interval(max(0.0, centre_s - length_s / 2), centre_s + length_s / 2)
        key = f"{interval.start_s:.3f}-{interval.end_s:.3f}"
        return self._kept(path, key, lambda: decode(path, interval, self.rate_hz))

    def transformed(self, path: Path, length_s: float, name: str, seed: int = 0) -> Waveform:
        """Transform the middle of a recording; chance depends on the seed and the file's name."""
        return self._kept(
            path,
            f"middle-{length_s:g}-{name}-{seed}",
            lambda: transformed(name, self.middle(path, length_s), self.rate_hz, path.name, seed),
        )

    def _kept(self, path: Path, key: str, make: Callable[[], Waveform]) -> Waveform:
        status = path.stat()
        identity = (
            f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{self.rate_hz}\0{key}"
        )
        file = self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.npy"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(file) as draft:
                np.save(draft, make().astype(np.float16))
        waveform: Waveform = np.load(file, allow_pickle=False).astype(np.float32)
        return waveform


def duration_s(path: Path) -> float:
    """Ask the container for the length. Raises AudioError where it says nothing."""
    try:
        with av.open(str(path), **ODD_METADATA) as container:
            stream = container.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                return float(stream.duration * stream.time_base)
            if container.duration is not None:
                return float(container.duration) / 1_000_000  # AV_TIME_BASE
    except (av.FFmpegError, IndexError) as error:
        raise AudioError(str(path), "not-audio", "it cannot be decoded as audio") from error
    raise AudioError(str(path), "damaged", "its container does not say how long it is")


def decode(path: Path, interval: Interval, rate_hz: int) -> Waveform:
    """Decode a stretch of a recording to mono float32, counted in samples from its beginning.

    Everything before it is decoded too, since seeking in Ogg and MP3 is not exact to the sample.
    Raises AudioError where there is no audio in it.
    """
    blocks: list[Waveform] = []
    skip_s: float | None = None
    end_s = 0.0
    try:
        with av.open(str(path), **ODD_METADATA) as container:
            resampler = AudioResampler("flt", "mono", rate_hz)
            for frame in container.decode(audio=0):
                start_s, end_s = end_s, end_s + frame.samples / frame.sample_rate
                if end_s <= interval.start_s:
                    continue
                if start_s >= interval.end_s:
                    break
                if skip_s is None:
                    skip_s = max(0.0, interval.start_s - start_s)
                blocks.extend(out.to_ndarray()[0] for out in resampler.resample(frame))
            blocks.extend(out.to_ndarray()[0] for out in resampler.resample(None))
    except (av.FFmpegError, IndexError) as error:
        raise AudioError(str(path), "not-audio", "it cannot be decoded as audio") from error
    if skip_s is None or not blocks:
        raise AudioError(str(path), "empty", "there is no sound in the wanted stretch")
    start = round(skip_s * rate_hz)
    return np.concatenate(blocks)[start : start + round(interval.duration_s * rate_hz)]
