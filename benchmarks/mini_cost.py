"""What encoding with mess-mini costs beside decoding, in one run on one core.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/mini_cost.py FILE...

Prints CPU seconds per minute of audio for decoding with resampling and for encoding, their ratio,
and the process's peak memory.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from mess_plugin import encoders
from mess_plugin.audio import decode


def main() -> None:
    """Decode each file, encode it in batches of eight windows, print."""
    encoder = encoders.load("mess-mini")
    window = round(encoder.info.window_s * encoder.info.rate_hz)
    decoding_s = encoding_s = minutes = 0.0
    for name in sys.argv[1:]:
        began = time.process_time()
        waveform = np.concatenate(list(decode(Path(name), encoder.info.rate_hz)))
        decoded = time.process_time()
        windows = waveform[: len(waveform) // window * window].reshape(-1, window)
        for start in range(0, len(windows), 8):
            encoder.encode(windows[start : start + 8])
        encoding_s += time.process_time() - decoded
        decoding_s += decoded - began
        minutes += windows.size / encoder.info.rate_hz / 60
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{minutes:.1f} minutes: decoding {decoding_s / minutes:.3f}, ", end="")
    print(f"encoding {encoding_s / minutes:.3f} CPU s per minute, ", end="")
    print(f"ratio {encoding_s / decoding_s:.2f}, peak memory {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
