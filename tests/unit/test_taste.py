"""Simulated listeners: what they care for is learned, and chance is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.options import ASPECTS
from mess_plugin.search.candidates import CandidateSet
from mess_plugin.search.feedback import Evidence, of_acts, of_verdicts, strongest
from mess_plugin.search.preferences import held_out, preferences
from mess_plugin.search.scoring import alike
from mess_plugin.search.taste import LEAST_PAIRS, fit_taste
from mess_plugin.store.verdicts import Act, Verdict

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
N_TRACKS, N_SEEDS = 200, 12


@pytest.fixture(scope="module")
def library() -> CandidateSet:
    """Tracks whose aspects are independent of each other."""
    rng = np.random.default_rng(4)
    vectors = {}
    for aspect in ASPECTS:
        dim = 576 if aspect == "harmony" else 8
        low = rng.normal(size=(N_TRACKS, 4)) @ rng.normal(size=(4, dim))
        vectors[aspect] = unit(low.astype(np.float32))
    return CandidateSet(tuple(range(N_TRACKS)), vectors)


def verdicts(
    library: CandidateSet, liking: dict[str, float], n_each: int, seed: int = 0
) -> list[Evidence]:
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
    return of_verdicts(said)


def test_a_listener_who_cares_for_rhythm(library: CandidateSet) -> None:
    taste = fit_taste("r", verdicts(library, {"feel": 0.3, "rhythm": 1.0}, 8), library)
    assert taste.is_on
    assert taste.weights["rhythm"] > 2 * taste.weights.get("timbre", 0.0)
    assert taste.weights["rhythm"] > taste.weights["feel"]
    assert taste.fitted_right is not None
    assert taste.plain_right is not None
    assert taste.fitted_right > taste.plain_right + 0.1
    assert "on:" in taste.state


def test_a_listener_who_cares_for_timbre_and_rejects_the_rest(library: CandidateSet) -> None:
    taste = fit_taste("t", verdicts(library, {"timbre": 1.0}, 8), library)
    assert taste.is_on
    assert max(taste.weights, key=lambda aspect: taste.weights[aspect]) == "timbre"


@pytest.mark.parametrize("seed", range(30))
def test_a_listener_who_answers_at_random_stays_plain(library: CandidateSet, seed: int) -> None:
    taste = fit_taste("x", verdicts(library, {}, 8, seed), library)
    assert not taste.is_on
    assert taste.leaning is None
    assert "off" in taste.state


def test_a_listener_who_goes_by_the_feel_gains_nothing(library: CandidateSet) -> None:
    taste = fit_taste("f", verdicts(library, {"feel": 1.0}, 8), library)
    assert taste.plain_right == pytest.approx(1.0)
    assert not taste.is_on


def test_too_little_to_go_by(library: CandidateSet) -> None:
    said = verdicts(library, {"rhythm": 1.0}, 8)[:4]
    taste = fit_taste("few", said, library)
    assert taste.n_pairs < LEAST_PAIRS
    assert not taste.is_on
    assert f"at least {LEAST_PAIRS}" in taste.state
    assert fit_taste("none", [], library).n_pairs == 0


def test_a_listener_who_dislikes_a_voice_like_timbre(library: CandidateSet) -> None:
    """Whoever goes by the feel, but never wants a timbre like that of one track."""
    voice = library.vectors["timbre"][N_TRACKS - 1]
    rng = np.random.default_rng(8)
    said = []
    for seed_id in range(24):
        tracks = rng.choice(np.arange(24, N_TRACKS - 1), 10, replace=False)
        sung = library.vectors["timbre"][tracks] @ voice > 0
        feel = alike(library.vectors["feel"][seed_id], library.vectors["feel"][tracks], "feel")
        worth = np.where(sung, feel - 1, feel)
        said += [
            Verdict(seed_id, track_id, "like" if good else "dislike", WHEN)
            for track_id, good in zip(tracks.tolist(), worth > np.median(worth), strict=True)
        ]
    found = of_verdicts(said)
    taste = fit_taste("v", found, library)
    assert taste.is_on, taste.state
    assert taste.leaning is not None
    assert taste.fitted_right is not None
    assert taste.plain_right is not None
    assert taste.fitted_right > taste.plain_right + 0.1
    along = library.vectors["timbre"] @ taste.leaning.direction
    assert np.corrcoef(along, library.vectors["timbre"] @ voice)[0, 1] < -0.8
    judged = sorted({one.track_id for one in said})
    assert taste.leaning.away_id == judged[int(along[judged].argmin())]
    assert taste.leaning.toward_id == judged[int(along[judged].argmax())]
    assert 0 < taste.leaning.share < 1
    without, weighed, leaning = held_out(preferences(found, library))
    assert leaning.mean() > weighed.mean() + 0.1  # weights alone cannot say it
    assert weighed.mean() < without.mean() + 0.05


def test_a_leaning_is_tried_on_tracks_that_its_fit_did_not_see(library: CandidateSet) -> None:
    """Whims about ten tracks that come up again and again are no leaning."""
    rng = np.random.default_rng(9)
    whims = dict(zip(range(24, 34), rng.permutation(10) < 5, strict=True))
    said = [
        Verdict(seed_id, track_id, "like" if good else "dislike", WHEN)
        for seed_id in range(24)
        for track_id, good in whims.items()
    ]
    assert fit_taste("w", of_verdicts(said), library).leaning is None


def test_three_contradictory_likes_change_nothing_and_say_so(library: CandidateSet) -> None:
    said = [
        Verdict(0, 20, "like", WHEN),
        Verdict(0, 21, "like", WHEN),
        Verdict(1, 22, "like", WHEN),
    ]
    taste = fit_taste("c", of_verdicts(said), library)
    assert not taste.is_on
    assert taste.weights == {"feel": 1.0}
    assert taste.state.startswith("off: 0 pairs of a liked and a not liked answer")


def play(track_id: int, minute: float, share: float | None, account: str = "a") -> Act:
    """A play of a track of 3 minutes that ended at a minute of the hour."""
    ended = WHEN + timedelta(minutes=minute)
    return Act("jellyfin", account, track_id, "play", share, ended, 180.0)


def act(track_id: int, minute: float, kind: str, value: float | None) -> Act:
    return Act("jellyfin", "a", track_id, kind, value, WHEN + timedelta(minutes=minute), 180.0)


def test_what_is_heard_answers_to_what_was_heard_just_before() -> None:
    found = of_acts([play(1, 3, 1.0), play(2, 6, 1.0), play(3, 6.5, 0.1), play(4, 59, 1.0)])
    assert [(one.track_id, one.seed_id, one.worth) for one in found] == [
        (1, None, 0.5),
        (2, 1, 0.5),
        (3, 2, -0.5),
        (4, None, 0.5),  # three quarters of an hour later
    ]
    assert {one.weight for one in found} == {0.25}
    others = of_acts([play(1, 3, 1.0, "a"), play(2, 6, 1.0, "b"), play(1, 7, 0.5, "a")])
    assert [one.seed_id for one in others] == [None, None]  # half a track says nothing


def test_an_opinion_answers_to_what_was_heard_before_its_track() -> None:
    acts = [
        play(1, 3, 1.0),
        act(2, 5, "favourite", 1.0),
        play(2, 6, 1.0),
        act(2, 7, "like", 0.0),
        act(9, 8, "rating", 2.0),
        act(9, 9, "favourite", 0.0),
        act(8, 10, "removed", None),
    ]
    found = {(one.source, one.track_id): one for one in of_acts(acts)}
    assert found["favourite", 2].seed_id == 1
    assert found["like", 2].worth == -1.0
    assert found["like", 2].seed_id == 1
    assert found["rating", 9].seed_id is None
    assert found["rating", 9].worth == pytest.approx(-0.6)
    assert ("favourite", 9) not in found
    assert found["playlist", 8].word == "dislike"
    (one,) = (one for one in strongest(of_acts(acts)) if one.track_id == 2)
    assert one.source == "like"  # as weighty as the favourite, and later


def test_a_player_alone_can_teach_a_taste(library: CandidateSet) -> None:
    """Somebody who skips what does not go on in the same rhythm."""
    rng = np.random.default_rng(3)
    acts, minute = [], 0.0
    for seed_id in range(N_SEEDS):
        tracks = rng.choice(np.arange(N_SEEDS, N_TRACKS), 16, replace=False)
        near = alike(
            library.vectors["rhythm"][seed_id], library.vectors["rhythm"][tracks], "rhythm"
        )
        for track_id, good in zip(tracks.tolist(), (near > np.median(near)).tolist(), strict=True):
            acts.append(play(seed_id, minute + 3, 1.0))
            acts.append(play(track_id, minute + 3 + (3 if good else 0.2), 1.0 if good else 0.05))
            minute += 60
    taste = fit_taste("p", strongest(of_acts(acts)), library)
    assert taste.sources.keys() == {"play"}
    assert taste.is_on, taste.state
    assert max(taste.weights, key=lambda aspect: taste.weights[aspect]) == "rhythm"
