"""Queries, their words, scores and variety."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.model import Float32, Tags, Track
from mess_plugin.search import explain, parsing
from mess_plugin.search.diversity import choose
from mess_plugin.search.query import Filters, Query, Range


def test_emphasis_counts_beside_the_feel() -> None:
    assert Query().weights() == {"feel": 1.0}
    weights = Query(emphasis={"rhythm": 2, "timbre": 1}).weights()
    assert weights == pytest.approx({"feel": 0.25, "rhythm": 0.5, "timbre": 0.25})
    assert Query(only=("harmony",)).weights() == {"harmony": 1.0}
    both = Query(only=("harmony", "rhythm"), emphasis={"rhythm": 3}).weights()
    assert both == pytest.approx({"harmony": 0.25, "rhythm": 0.75})
    assert "feel" not in Query(emphasis={"feel": 0, "energy": 1}).weights()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"emphasis": {"rythm": 2.0}}, "did you mean 'rhythm'"),
        ({"emphasis": {"rhythm": -1.0}}, "wanted 0 to"),
        ({"emphasis": {"rhythm": float("nan")}}, "wanted 0 to"),
        ({"emphasis": {"feel": 0.0}}, "nothing counts"),
        ({"only": ("harmony",), "emphasis": {"rhythm": 2.0}}, "only harmony"),
        ({"diversity": 1.5}, "wanted 0 to 1"),
        ({"per_artist": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_asked(words: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Query(**words)  # type: ignore[arg-type]


def test_contradictory_filters() -> None:
    with pytest.raises(UsageError, match="swap the two"):
        Filters(year=Range(2000, 1990))
    with pytest.raises(UsageError, match="leave one out"):
        Filters(tempo_bpm=Range(90, 100), same_tempo=True)
    with pytest.raises(UsageError, match="leave one out"):
        Filters(key=(9, "minor"), same_key=True)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("90-110", 90, 110), ("90-", 90, None), ("-110", None, 110), ("100", 100, 100),
        ("-14..-9", -14, -9),
    ],
)  # fmt: skip
def test_ranges_as_people_write_them(text: str, low: float | None, high: float | None) -> None:
    assert parsing.limits("tempo", text) == Range(low, high)


def test_clock_ranges() -> None:
    assert parsing.limits("duration", "2:30-1:00:00", clock=True) == Range(150, 3600)


@pytest.mark.parametrize("text", ["fast", "-", "", "1-2-3", "nan-4"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(UsageError, match="tempo"):
        parsing.limits("tempo", text)


def test_words_of_emphasis() -> None:
    assert parsing.weights("rhythm=2, Timbre=.5") == {"rhythm": 2.0, "timbre": 0.5}
    assert parsing.query({"only": "harmony,rhythm,harmony"}).only == ("harmony", "rhythm")
    assert parsing.query({"only": None}).only == ()
    for nothing in ("", " , "):
        with pytest.raises(UsageError, match="names no facet"):
            parsing.query({"only": nothing})
    for wrong in ("", ","):
        with pytest.raises(UsageError, match="FACET=WEIGHT"):
            parsing.weights(wrong)
    for wrong in ("rhythm", "rhythm=much", "=2="):
        with pytest.raises(UsageError, match="FACET=WEIGHT"):
            parsing.weights(wrong)
    with pytest.raises(UsageError, match="wanted a key"):
        parsing.key("loud")
    with pytest.raises(UnknownName):
        Query(emphasis=parsing.weights("=2"))


def track(number: int, artist: str, album: str = "") -> Track:
    return Track(number, 100.0, Tags(title=str(number), artist=artist, album=album or None))


TRACKS = [
    track(0, "A", "x"),
    track(1, "a", "x"),
    track(2, "A", "y"),
    track(3, "B", "x"),
    track(4, ""),
]
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5], dtype=np.float32)


def strangers(_row: int) -> Float32:
    return np.zeros(5, np.float32)


def test_by_score_alone() -> None:
    assert choose(SCORES, TRACKS, 3, diversity=0, likeness=strangers) == [0, 1, 2]


def test_at_most_so_many_of_an_artist_or_album() -> None:
    assert choose(SCORES, TRACKS, 5, diversity=0, likeness=strangers, per_artist=1) == [0, 3, 4]
    assert choose(SCORES, TRACKS, 5, diversity=0, likeness=strangers, per_album=1) == [0, 2, 3, 4]


def test_variety_passes_over_what_is_like_the_chosen() -> None:
    def likeness(row: int) -> Float32:
        close = {0: {0, 1}, 1: {0, 1}}.get(row, {row})
        return np.array([i in close for i in range(5)], dtype=np.float32)

    assert choose(SCORES, TRACKS, 3, diversity=0.5, likeness=likeness) == [0, 2, 3]
    assert choose(SCORES, TRACKS, 3, diversity=0.01, likeness=likeness) == [0, 1, 2]


def test_reasons_change_with_their_causes() -> None:
    assert explain.tempo_reason(92, 94).text == "92 and 94 bpm"
    assert explain.tempo_reason(92, 184.5).text == "92 and 184 bpm, double time"
    assert explain.tempo_reason(92, 46).text == "92 and 46 bpm, half time"
    assert explain.tempo_reason(92, 92.2).text == "both 92 bpm"
    assert explain.key_reason((9, "minor"), (9, "minor")).text == "both A minor"
    assert "fifth" in explain.key_reason((9, "minor"), (4, "minor")).text


def test_scores_from_elsewhere_make_up_their_share() -> None:
    from mess_plugin.search.blending import normalised
    from mess_plugin.search.candidates import CandidateSet
    from mess_plugin.search.scoring import Scores, blend

    assert normalised({1: 10.0, 2: 10.0, 3: 500.0, 4: -3.0}) == {1: 0.75, 2: 0.75, 3: 1.0, 4: 0.25}
    table = CandidateSet((1, 2, 3), {"feel": np.zeros((3, 2), np.float32)})
    half = np.full(3, 0.5, np.float32)
    scores = np.array([0.5, 0.4, 0.0], np.float32)
    plain = Scores(scores, {"feel": half}, {"feel": 1.0}, 0.5 - scores, np.zeros(3, np.float32))
    mixed = blend(plain, table, {"plays": {2: 1.0, 3: 1.0}}, {"plays": 0.25})
    np.testing.assert_allclose(mixed.scores, [0.375, 0.55, 0.0], atol=1e-6)
    for row in (0, 1):
        parts = mixed.likeness["feel"][row] * mixed.weights["feel"] - mixed.unlike[row]
        parts += mixed.blended["plays"][row] * mixed.shares["plays"]
        assert parts == pytest.approx(mixed.scores[row], abs=1e-6)


def test_a_leaning_makes_up_its_share() -> None:
    from mess_plugin.search.candidates import CandidateSet
    from mess_plugin.search.scoring import Leaning, Scores, blend, lean

    timbres = np.array([[1, 0], [-1, 0], [0, 0]], np.float32)  # of the third nothing was heard
    table = CandidateSet((1, 2, 3), {"feel": np.zeros((3, 2), np.float32), "timbre": timbres})
    half, none = np.full(3, 0.5, np.float32), np.zeros(3, np.float32)
    leaning = Leaning(np.array([1, 0], np.float32), 0.2, 1, 2)
    leant = lean(Scores(half, {"feel": half}, {"feel": 1.0}, none, none), table, leaning)
    np.testing.assert_allclose(leant.leaning, [0.2, -0.2, 0.0], atol=1e-6)
    mixed = blend(leant, table, {"plays": {3: 1.0}}, {"plays": 0.5})
    for one in (leant, mixed):
        parts = one.likeness["feel"] * one.weights["feel"] + one.leaning - one.unlike
        parts = parts + sum(one.blended[source] * share for source, share in one.shares.items())
        np.testing.assert_allclose(one.scores, parts, atol=1e-6)
    np.testing.assert_allclose(leant.scores, [0.6, 0.2, 0.4], atol=1e-6)


def test_what_cannot_be_blended_is_refused() -> None:
    assert parsing.query({"blend": ("plays=0.3", "a=b.tsv=0.2")}).blend == {
        "plays": 0.3,
        "a=b.tsv": 0.2,
    }
    for wrong in ("plays", "plays=x", "=0.3", "plays=1.0", "plays=0", "plays=nan"):
        with pytest.raises(UsageError, match="blend"):
            parsing.query({"blend": (wrong,)})
    with pytest.raises(UsageError, match="leaves nothing"):
        Query(blend={"plays": 0.6, "x.tsv": 0.4})
    assert parsing.query_from_json({"blend": {"plays": 0.3}}).blend == {"plays": 0.3}
    with pytest.raises(UsageError, match="source to blend"):  # a client must not name files
        parsing.query_from_json({"blend": {"/etc/passwd": 0.3}})


def test_moods_are_words_for_ranges() -> None:
    from mess_plugin.facets import Loudness, Measures
    from mess_plugin.search.query import moods_of

    filters = parsing.query({"mood": "calm,bright", "bright": "-0.9"}).filters
    assert filters.attribute("activity") == Range(0.0, 0.35)
    assert filters.attribute("brightness") == Range(0.65, 0.9)
    assert filters.attribute("drive") is None
    with pytest.raises(UsageError, match="dark and bright exclude each other"):
        Filters(moods=("dark", "bright"))
    with pytest.raises(UsageError, match="calm and activity exclude each other"):
        Filters(moods=("calm",), activity=Range(0.5, None))
    with pytest.raises(UnknownName, match="did you mean 'calm'"):
        Filters(moods=("clam",))
    measures = Measures(None, None, Loudness(None, None), 0.2, brightness=0.9, drive=None)
    assert moods_of(measures) == ("calm", "bright")
