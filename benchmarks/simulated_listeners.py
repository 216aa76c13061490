"""What a taste makes of simulated listeners on made-up tracks.

    python -m benchmarks.simulated_listeners [--listeners 10]

Each judges ten tracks for each of some seeds and likes the better half of them: by rhythm; by the feel,
but never a timbre that lies on the side of one track (half of all do); or by chance. Printed are the
shares of held-out pairs in the right order, and of listeners whose taste, or leaning, was used.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.model import Float32
from mess_plugin.options import ASPECTS
from mess_plugin.search.candidates import CandidateSet
from mess_plugin.search.feedback import of_verdicts
from mess_plugin.search.scoring import alike
from mess_plugin.search.taste import fit_taste
from mess_plugin.store.verdicts import Verdict

N_TRACKS, N_EACH = 600, 10
DIMS = {"harmony": 576, "timbre": 28}
LISTENERS = ("rhythm", "no such timbre", "chance")


def library(seed: int) -> CandidateSet:
    """Tracks whose aspects are independent of each other; timbres lie anywhere."""
    rng = np.random.default_rng(seed)
    vectors = {}
    for aspect in ASPECTS:
        dim = DIMS.get(aspect, 8)
        low = dim if aspect == "timbre" else 4
        placed = rng.normal(size=(N_TRACKS, low)) @ rng.normal(size=(low, dim))
        vectors[aspect] = unit(placed.astype(np.float32))
    return CandidateSet(tuple(range(N_TRACKS)), vectors)


def judged(listener: str, known: CandidateSet, n_seeds: int, seed: int) -> list[Verdict]:
    """What a listener says."""
    rng = np.random.default_rng(seed)
    said = []
    for seed_id in range(n_seeds):
        tracks = rng.choice(np.arange(n_seeds, N_TRACKS - 1), N_EACH, replace=False)
        worth = _worth(listener, known, seed_id, tracks, rng)
        for track_id, good in zip(tracks.tolist(), worth > np.median(worth), strict=True):
            word = "like" if good else "dislike"
            said.append(Verdict(seed_id, track_id, word, datetime(2026, 1, 1, tzinfo=UTC)))
    return said


def _worth(
    listener: str, known: CandidateSet, seed_id: int, tracks: np.ndarray, rng: np.random.Generator
) -> Float32:
    if listener == "chance":
        return rng.random(len(tracks)).astype(np.float32)

    def likeness(aspect: str) -> Float32:
        return alike(known.vectors[aspect][seed_id], known.vectors[aspect][tracks], aspect)

    if listener == "rhythm":
        return 0.3 * likeness("feel") + likeness("rhythm")
    timbres = known.vectors["timbre"]
    unwanted = timbres[tracks] @ timbres[-1] > 0
    return np.where(unwanted, likeness("feel") - 1, likeness("feel")).astype(np.float32)


def main() -> None:
    """Parse the command line and print a row for each kind of listener."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listeners", type=int, default=10)
    n = parser.parse_args().listeners
    for listener in LISTENERS:
        for n_seeds in (12, 48):
            tastes = []
            for number in range(n):
                known = library(number)
                said = of_verdicts(judged(listener, known, n_seeds, number))
                tastes.append(fit_taste(listener, said, known))
            plain = np.mean([taste.plain_right or 0.0 for taste in tastes])
            fitted = np.mean([taste.fitted_right or 0.0 for taste in tastes])
            n_on = sum(taste.is_on for taste in tastes)
            n_leaning = sum(taste.leaning is not None for taste in tastes)
            print(
                f"{listener:15} {n_seeds:3} seeds: plain {plain:.3f}, taste {fitted:.3f}, "
                f"used by {n_on} of {n}, leaning by {n_leaning}",
                flush=True,
            )


if __name__ == "__main__":
    main()
