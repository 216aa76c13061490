"""The hierarchy end to end, in memory that does not grow with the length of the recording."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mess_plugin import encoders
from mess_plugin.analysis.hierarchy import analyse, embed
from mess_plugin.errors import AudioError
from mess_plugin.model import Float32, Level
from tests.audio_files import music

RATE_HZ = encoders.load("descriptors").info.rate_hz


def heard(*blocks: Float32, window_s: float = 5.0, hop_s: float = 2.5) -> dict[Level, Float32]:
    """The pooled vectors of each level."""
    encoder = encoders.load("descriptors")
    analysis = analyse(blocks, encoder, window_s=window_s, hop_s=hop_s, source="test")
    return {level: embed(analysis, level, {}).vectors for level in Level}


def sound(duration_s: float, seed: int = 0) -> Float32:
    wave: Float32 = music(duration_s, RATE_HZ, channels=1, seed=seed)[0]
    return wave


def test_every_level_holds_unit_vectors() -> None:
    found = heard(sound(21.0))
    assert len(found[Level.SONG]) == 1
    assert len(found[Level.WINDOW]) == 7  # at 0, 2.5 … 12.5 and 16 s
    for vectors in found.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_how_the_stream_is_cut_into_blocks_does_not_matter() -> None:
    stream = sound(13.0)
    whole = heard(stream)
    pieces = heard(*np.array_split(stream, 37))
    for level in Level:
        np.testing.assert_array_equal(whole[level], pieces[level])


def test_silent_windows_have_no_vector() -> None:
    pause = np.zeros(20 * RATE_HZ, dtype=np.float32)
    encoder = encoders.load("descriptors")
    analysis = analyse(
        [sound(20.0), pause, sound(20.0, 1)], encoder, window_s=5, hop_s=2.5, source="test"
    )
    starts_s = analysis.pooled[Level.WINDOW].intervals[:, 0]
    assert not ((starts_s >= 20) & (starts_s <= 35)).any()
    assert len(analysis.pooled[Level.SONG].vectors) == 1


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (np.zeros(0, np.float32), "empty"),
        (np.full(RATE_HZ // 10, 0.5, np.float32), "too-short"),
        (np.zeros(5 * RATE_HZ, np.float32), "silent"),
        (np.full(5 * RATE_HZ, np.inf, np.float32), "damaged"),
    ],
)
def test_what_is_no_music_says_why(stream: Float32, kind: str) -> None:
    with pytest.raises(AudioError) as caught:
        heard(stream)
    assert caught.value.kind == kind


# The high-water mark of /proc, since getrusage's also counts the parent that was forked.
MEASURE = """
from pathlib import Path
import numpy as np
from mess_plugin import encoders
from mess_plugin.analysis.hierarchy import analyse
from mess_plugin.encoders.base import EncoderInfo

class Cheap:
    info, projections = encoders.load("descriptors").info, {}
    def encode(self, windows):
        # The real width and rate of frames, without the arithmetic: only memory is asked for here.
        level = np.sqrt((windows.reshape(len(windows), 20, -1) ** 2).mean(axis=2))
        return np.repeat(level[:, :, None], self.info.dim, axis=2).astype(np.float32)

def blocks(duration_s, rate_hz):
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(rate_hz * 7).astype(np.float32)
    for second in range(0, int(duration_s), 7):
        yield noise * np.float32(0.05 + 0.04 * np.sin(second / 60))

def peak_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

encoder = Cheap()
for hours in (1, 3):
    analysis = analyse(
        blocks(hours * 3600, encoder.info.rate_hz), encoder, window_s=5, hop_s=2.5, source="noise"
    )
    assert abs(analysis.duration_s - hours * 3600) < 7
    print(peak_mb())
"""


def test_three_hours_need_hardly_more_memory_than_one() -> None:
    """The waveform of three hours alone would take a gigabyte."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=200
    )
    one_hour_mb, three_hours_mb = map(float, done.stdout.split())
    assert three_hours_mb < 1500
    assert three_hours_mb - one_hour_mb < 250  # timeline, novelty and pooled vectors do grow


TWELVE_HOURS = (
    MEASURE.partition("encoder = Cheap()")[0]
    + """
class Wide:
    # Frames as wide and as many as those of mess-mini, from a stream of few samples.
    projections = {}
    info = EncoderInfo(
        name="wide", revision="1", rate_hz=1000, window_s=10.0, hop_s=10.0, min_s=0.25, dim=736,
        layers="none", pooling="mean", licence="none",
    )
    def __init__(self):
        self.generator = np.random.default_rng(0)
        self.sound = np.zeros(736, np.float32)
    def encode(self, windows):
        frames = np.empty((len(windows), 40, 736), np.float32)
        for window in range(len(windows)):
            if self.generator.random() < 0.3:  # another part begins
                self.sound = self.generator.standard_normal(736, np.float32)
            frames[window] = self.sound + 0.3 * self.generator.standard_normal((40, 736), np.float32)
        return frames

start_mb = peak_mb()
analysis = analyse(blocks(12 * 3600, 1000), Wide(), window_s=5, hop_s=2.5, source="twelve hours")
assert analysis.duration_s >= 12 * 3600
assert len(analysis.sections.labels) > 500
print(start_mb, peak_mb(), analysis.timeline.rate_hz)
"""
)


def test_twelve_hours_fit_into_a_worker() -> None:
    """They took 3.3 GB, sums of 8 bytes and several copies of them for the sections."""
    done = subprocess.run(
        [sys.executable, "-c", TWELVE_HOURS],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    start_mb, peak_mb, steps_hz = map(float, done.stdout.split())
    assert peak_mb < 600
    assert peak_mb - start_mb < 450
    assert steps_hz == 1.0
