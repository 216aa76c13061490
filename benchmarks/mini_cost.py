"""What encoding with mess-mini costs beside decoding, in one run on one core.

    python benchmarks/mini_cost.py FILE... [--rounds N]

Each round decodes and resamples every file as indexing does, then encodes it. Prints the medians
over rounds of CPU seconds per minute of audio and of their ratio, its lowest and highest, and the
process's peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in a worker; before numpy is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from mess_plugin import encoders
from mess_plugin.audio import decode
from mess_plugin.encoders.base import Encoder


def measure(files: list[Path], encoder: Encoder) -> tuple[float, float, float]:
    """CPU seconds of decoding and of encoding all files, and their minutes."""
    window = round(encoder.info.window_s * encoder.info.rate_hz)
    decoding_s = encoding_s = minutes = 0.0
    for path in files:
        began = time.process_time()
        waveform = np.concatenate(list(decode(path, encoder.info.rate_hz)))
        decoded = time.process_time()
        windows = waveform[: len(waveform) // window * window].reshape(-1, window)
        for start in range(0, len(windows), 8):
            encoder.encode(windows[start : start + 8])
        encoding_s += time.process_time() - decoded
        decoding_s += decoded - began
        minutes += windows.size / encoder.info.rate_hz / 60
    return decoding_s, encoding_s, minutes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    encoder = encoders.load("mess-mini")
    measure(options.files[:1], encoder)  # fills the caches
    rounds = [measure(options.files, encoder) for _ in range(options.rounds)]
    ratios = [encoding / decoding for decoding, encoding, _ in rounds]
    minutes = rounds[0][2]
    decoding, encoding = (statistics.median(one[i] for one in rounds) / minutes for i in (0, 1))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{minutes:.1f} minutes, {options.rounds} rounds: decoding {decoding:.3f}, ", end="")
    print(
        f"encoding {encoding:.3f} CPU s per minute, ratio {statistics.median(ratios):.2f} ", end=""
    )
    print(f"({min(ratios):.2f} to {max(ratios):.2f}), peak memory {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
