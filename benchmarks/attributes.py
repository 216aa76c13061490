"""How the attributes are spread over a list of recordings, and how they go together.

    python -m benchmarks.attributes LIST AUDIO --cache DIR [--every 3]

Shares of a calibration library should be spread evenly over music like it: `unevenness` is the greatest
distance from that (Kolmogorov and Smirnov's), 0 at best. Heard is the middle 60 s of each recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fit_facets import sketch_of
from mess_plugin.evaluation.excerpts import ExcerptCache
from mess_plugin.evaluation.listing import Role, read_listing
from mess_plugin.facets import attributes, energy, scale
from mess_plugin.facets.statistics import FACET_RATE_HZ


def unevenness(shares: np.ndarray) -> float:
    """The greatest distance of (n,) shares from an even spread."""
    even = (np.arange(len(shares)) + 0.5) / len(shares)
    return float(np.abs(np.sort(shares) - even).max())


def main() -> None:
    """Parse the command line, hear the list and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    parser.add_argument("--every", type=int, default=1, help="only each n-th recording")
    arguments = parser.parse_args()
    cache = ExcerptCache(arguments.cache, FACET_RATE_HZ)
    recordings = [r for r in read_listing(arguments.list) if r.role is not Role.OUT]
    rows = []
    for recording in recordings[1 :: arguments.every]:
        sketch = sketch_of(cache.middle(arguments.audio / recording.track, 60.0))
        activity = scale.activity(energy.activity_signs(sketch))
        rows.append((activity, attributes.brightness(sketch), attributes.drive(sketch)))
    table = np.array(rows)
    names = ("activity", "brightness", "drive")
    together = np.corrcoef(table.T)
    for place, name in enumerate(names):
        others = ", ".join(f"{n} {c:+.2f}" for n, c in zip(names, together[place], strict=True))
        print(f"{name:10} unevenness {unevenness(table[:, place]):.3f}; correlation: {others}")
    print(len(table), "recordings")


if __name__ == "__main__":
    main()
