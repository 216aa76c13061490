"""What `--coverage` loses: song vectors from a share of the windows beside those from all of them.

python benchmarks/coverage.py samples --encoder mess-mini

centred cosine: between the two vectors of a track, after subtracting the library's mean. itself
first: share of tracks whose nearest vector among the full ones is their own. neighbours kept: share
of the three nearest other tracks that stay among the three nearest. heard: share of the windows that
the encoder was given.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mess_plugin import audio, encoders
from mess_plugin.analysis.hierarchy import analyse, embed
from mess_plugin.analysis.pooling import unit
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.library.walk import Walk
from mess_plugin.model import Float32, Level, Projection

SHARES = (1.0, 0.5, 0.25, 0.1)
NEAREST = 3


@dataclass
class Remembering:
    """An encoder that is asked for each window of a track once, whatever the coverage."""

    inner: Encoder
    n_windows: int = 0
    _known: dict[bytes, Float32] = field(default_factory=dict)

    @property
    def info(self) -> EncoderInfo:
        """As the inner one's."""
        return self.inner.info

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """As the inner one's."""
        return self.inner.projections

    def encode(self, windows: Float32) -> Float32:
        """As the inner one does."""
        self.n_windows += len(windows)
        for window in windows:
            if window.tobytes() not in self._known:
                self._known[window.tobytes()] = self.inner.encode(window[None])[0]
        return np.stack([self._known[window.tobytes()] for window in windows])


def songs(path: Path, inner: Encoder) -> tuple[Float32, list[int]]:
    """Song vectors of one file at each share, (len(SHARES), dim), and the windows heard."""
    encoder = Remembering(inner)
    with audio.decode(path, inner.info.rate_hz) as decoding:
        blocks = list(decoding)
    vectors, heard = [], []
    for share in SHARES:
        encoder.n_windows = 0
        analysis = analyse(
            blocks, encoder, window_s=5.0, hop_s=2.5, source=str(path), coverage=share
        )
        vectors.append(embed(analysis, Level.SONG, inner.projections).vectors[0])
        heard.append(encoder.n_windows)
    return np.stack(vectors), heard


def nearest(similarities: Float32) -> list[set[int]]:
    """The NEAREST others of each row."""
    others = similarities.copy()
    np.fill_diagonal(others, -np.inf)
    return [set(row[:NEAREST].tolist()) for row in np.argsort(-others, axis=1)]


def main() -> None:
    """Print one line a share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default=encoders.DEFAULT_ENCODER)
    arguments = parser.parse_args()
    encoder = encoders.load(arguments.encoder)
    found = [songs(Path(file.path), encoder) for file in Walk([str(arguments.folder.absolute())])]
    vectors = np.stack([one for one, _ in found])  # (n_tracks, n_shares, dim)
    heard = np.array([counts for _, counts in found])
    centred = unit((vectors - vectors[:, :1].mean(axis=0)).reshape(-1, vectors.shape[2])).reshape(
        vectors.shape
    )
    full = centred[:, 0]
    wanted = nearest(full @ full.T)
    print(f"{encoder.info.name}, {len(found)} tracks")
    for i, share in enumerate(SHARES):
        similarities = centred[:, i] @ full.T
        own = np.diag(similarities)
        first = float((similarities.argmax(axis=1) == np.arange(len(own))).mean())
        kept = np.mean([len(a & b) for a, b in zip(wanted, nearest(similarities), strict=True)])
        print(
            f"coverage {share:g}: heard {heard[:, i].sum() / heard[:, 0].sum():.2f}, centred cosine "
            f"mean {own.mean():.3f} min {own.min():.3f}, itself first {first:.2f}, "
            f"neighbours kept {kept / NEAREST:.2f}"
        )


if __name__ == "__main__":
    main()
