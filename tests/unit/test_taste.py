"""Simulated listeners: what they care for is learned, and chance is not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from mess_plugin.pooling import unit
from mess_plugin.steering.candidates import Table
from mess_plugin.steering.query import ASPECTS
from mess_plugin.steering.scoring import alike
from mess_plugin.steering.taste import LEAST_PAIRS, fit_taste
from mess_plugin.store.verdicts import Verdict

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
N_TRACKS, N_SEEDS = 200, 12


@pytest.fixture(scope="module")
def library() -> Table:
    """Tracks whose aspects are independent of each other."""
    rng = np.random.default_rng(4)
    vectors = {}
    for aspect in ASPECTS:
        dim = 576 if aspect == "harmony" else 8
        low = rng.normal(size=(N_TRACKS, 4)) @ rng.normal(size=(4, dim))
        vectors[aspect] = unit(low.astype(np.float32))
    return Table(tuple(range(N_TRACKS)), vectors)


def verdicts(library: Table, liking: dict[str, float], n_each: int, seed: int = 0) -> list[Verdict]:
    """A listener likes the upper half of some tracks by these weights, and dislikes the rest."""
    rng = np.random.default_rng(seed)
    said = []
    for seed_id in range(N_SEEDS):
        tracks = rng.choice(np.arange(N_SEEDS, N_TRACKS), n_each, replace=False)
        worth = sum(
            weight * alike(library.vectors[aspect][seed_id], library.vectors[aspect][tracks], aspect)
            for aspect, weight in liking.items()
        ) if liking else rng.random(n_each)  # fmt: skip
        liked = np.asarray(worth) > np.median(np.asarray(worth))
        for track_id, good in zip(tracks.tolist(), liked.tolist(), strict=True):
            said.append(Verdict(seed_id, track_id, "like" if good else "dislike", WHEN))
    return said


def test_a_listener_who_cares_for_rhythm(library: Table) -> None:
    taste = fit_taste("r", verdicts(library, {"feel": 0.3, "rhythm": 1.0}, 8), library)
    assert taste.is_on
    assert taste.weights["rhythm"] > 2 * taste.weights.get("timbre", 0.0)
    assert taste.weights["rhythm"] > taste.weights["feel"]
    assert taste.fitted_right is not None
    assert taste.plain_right is not None
    assert taste.fitted_right > taste.plain_right + 0.1
    assert "on:" in taste.state


def test_a_listener_who_cares_for_timbre_and_rejects_the_rest(library: Table) -> None:
    taste = fit_taste("t", verdicts(library, {"timbre": 1.0}, 8), library)
    assert taste.is_on
    assert max(taste.weights, key=lambda aspect: taste.weights[aspect]) == "timbre"


@pytest.mark.parametrize("seed", range(30))
def test_a_listener_who_answers_at_random_stays_plain(library: Table, seed: int) -> None:
    taste = fit_taste("x", verdicts(library, {}, 8, seed), library)
    assert not taste.is_on
    assert "off" in taste.state


def test_a_listener_who_goes_by_the_feel_gains_nothing(library: Table) -> None:
    taste = fit_taste("f", verdicts(library, {"feel": 1.0}, 8), library)
    assert taste.plain_right == pytest.approx(1.0)
    assert not taste.is_on


def test_too_little_to_go_by(library: Table) -> None:
    said = verdicts(library, {"rhythm": 1.0}, 8)[:4]
    taste = fit_taste("few", said, library)
    assert taste.n_pairs < LEAST_PAIRS
    assert not taste.is_on
    assert f"at least {LEAST_PAIRS}" in taste.state
    assert fit_taste("none", [], library).n_pairs == 0
