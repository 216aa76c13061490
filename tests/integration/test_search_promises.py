"""Search in a real database: what is found, what is promised about scores, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.windows import grid
from mess_plugin.config import Settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.errors import NothingIndexed, UnknownName, UsageError
from mess_plugin.facets import Facet, Loudness, Measures, TrackFacets
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Space, Tags
from mess_plugin.search import search
from mess_plugin.search.nearest import nearest
from mess_plugin.search.query import Filters, Query, Range
from mess_plugin.search.seeds import seed_of_track
from mess_plugin.search.self_similarity import form_of
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile

DIM = 32
DURATION_S = 60.0
RECIPE = "descriptors||5/2.5"


class Shelf:
    """A library of synthetic tracks, written as indexing writes them."""

    def __init__(self, store: Store, home: Path, projection: str = "none") -> None:
        self.store = store
        self.settings = Settings(home=home, encoder="descriptors")
        info = EncoderInfo("descriptors", "test", 24_000, 5.0, 5.0, 0.5, DIM, "none", "mean", "x")
        self.space: Space = store.spaces.raw(RECIPE, info, DIM, 5.0, 2.5, projection)
        store.spaces.create_indexes(self.space)

    def add(
        self, title: str, windows: Float32, *, album: str = "album", facets: int | None = None
    ) -> int:
        """A track of one minute with these windows; its sections are its halves.

        facets: the number of its random facets; None for a track whose facets were not heard.
        """
        job_id = self.store.jobs.enqueue([SeenFile(f"/{title}", 1, 1)], RECIPE, uuid4()).job_ids[0]
        job = self.store.jobs.start(job_id)
        assert job is not None
        n = len(windows)
        half = DURATION_S / 2
        levels = {
            Level.SONG: LevelVectors(_spans((0, DURATION_S)), unit(windows.mean(axis=0)[None])),
            Level.SECTION: LevelVectors(
                _spans((0, half), (half, DURATION_S)),
                unit(np.stack([windows[: n // 2].mean(axis=0), windows[n // 2 :].mean(axis=0)])),
                ("A", "B"),
            ),
            Level.WINDOW: LevelVectors(grid(DURATION_S, 5.0, 2.5), windows),
        }
        with self.store.transaction():
            track_id = self.store.library.save(title, DURATION_S, None)
            self.store.embeddings.write(self.space, track_id, levels)
            if facets is not None:
                self.store.facets.write(track_id, heard(facets))
            self.store.files.locate(job.file_id, f"/{title}", track_id, Tags(title, album=album))
            self.store.jobs.finish(job.id, "encoded")
        return track_id


def heard(number: int) -> TrackFacets:
    """Facets as they are stored, and nothing measured."""
    rng = np.random.default_rng([number, 9])
    widths = {facet: 576 if facet is Facet.HARMONY else 20 for facet in Facet}
    vectors = {
        facet: unit(rng.standard_normal((1, n)).astype("f4"))[0] for facet, n in widths.items()
    }
    measures = Measures(None, None, Loudness(None, None), 0.5)
    return TrackFacets(vectors, measures, np.zeros(64, np.float32))


def _spans(*intervals: tuple[float, float]) -> Float32:
    return np.array(intervals, dtype=np.float32)


def windows(seed: int, centre: Float32 | None = None) -> Float32:
    """23 windows around a centre of the track's own, or around a given one."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal(DIM) if centre is None else centre
    return unit((middle + 0.5 * rng.standard_normal((23, DIM))).astype(np.float32))


@pytest.fixture
def shelf(database_url: str, tmp_path: Path) -> Iterator[Shelf]:
    with open_store(database_url) as store:
        yield Shelf(store, tmp_path)


@pytest.fixture
def shipped(database_url: str, tmp_path: Path) -> Iterator[Shelf]:
    """A space like that of mess-mini, where a little of each facet counts."""
    with open_store(database_url) as store:
        yield Shelf(store, tmp_path, "shipped-1")


def test_vectors_come_back_as_they_were_written(shelf: Shelf) -> None:
    written = windows(0)
    one, other = shelf.add("one", written), shelf.add("other", windows(1))
    found = shelf.store.embeddings.of_tracks(shelf.space, Level.WINDOW, [other, one, 999])
    np.testing.assert_allclose(found[one].vectors, written, atol=1e-3)  # half precision
    np.testing.assert_allclose(found[one].intervals, grid(DURATION_S, 5.0, 2.5))
    assert len(found[999].vectors) == 0
    sections = shelf.store.embeddings.of_tracks(shelf.space, Level.SECTION, [one])[one]
    assert sections.labels == ("A", "B")
    alone = shelf.store.embeddings.of_track(shelf.space, Level.WINDOW, one)
    np.testing.assert_array_equal(alone.vectors, found[one].vectors)


QUERIES = (Query(), Query(filters=Filters(duration_s=Range(1.0, None))), Query(diversity=0.01))


def scores(shelf: Shelf, ref: int, query: Query = QUERIES[0]) -> dict[int, float]:
    """Scores of all answers to a track by id, best first."""
    if query == Query():
        answers = search(shelf.store, shelf.settings, str(ref), k=100).matches
    else:
        answers = search(shelf.store, shelf.settings, [str(ref)], query, k=100).matches
    return {match.track.id: match.score for match in answers}


@pytest.mark.parametrize("query", QUERIES[:2])
def test_adding_a_track_changes_no_score_and_no_order(shelf: Shelf, query: Query) -> None:
    asked = shelf.add("asked", windows(0))
    for number in range(1, 30):
        shelf.add(f"track {number}", windows(number))
    before = scores(shelf, asked, query)
    new = shelf.add("new", windows(77))
    after = scores(shelf, asked, query)
    assert set(after) - set(before) == {new}
    assert [track_id for track_id in after if track_id != new] == list(before)
    assert {track_id: after[track_id] for track_id in before} == before


def test_a_sees_b_as_b_sees_a(shelf: Shelf) -> None:
    ids = [shelf.add(f"track {number}", windows(number)) for number in range(6)]
    seen = {(one, other): score for one in ids for other, score in scores(shelf, one).items()}
    assert len(seen) == 30
    for (one, other), score in seen.items():
        assert score == pytest.approx(seen[other, one], abs=1e-6)


def test_a_pair_has_one_score_however_it_is_asked(shelf: Shelf) -> None:
    near = np.random.default_rng(0).standard_normal(DIM).astype(np.float32)
    ids = [shelf.add(f"track {number}", windows(number, near)) for number in range(12)]
    plain = scores(shelf, ids[0])
    assert len(plain) == 11
    assert min(plain.values()) > 0.1
    for query in QUERIES[1:]:
        assert scores(shelf, ids[0], query) == pytest.approx(plain, abs=1e-6)
    other = scores(shelf, ids[1])
    both = search(shelf.store, shelf.settings, [str(i) for i in ids[:2]], Query(), k=100)
    assert len(both.matches) == 10
    for match in both.matches:
        mean = (plain[match.track.id] + other[match.track.id]) / 2
        assert match.score == pytest.approx(mean, abs=1e-6)
        parts = {r.kind: r.value for r in match.reasons if r.kind != "section"}
        assert set(parts) == {"song", "windows", "course"}
        assert sum(parts.values()) == pytest.approx(match.score, abs=1e-6)


def test_a_little_of_each_facet_counts_with_its_reason(shipped: Shelf) -> None:
    near = np.random.default_rng(0).standard_normal(DIM).astype(np.float32)
    ids = [shipped.add(f"track {n}", windows(n, near), facets=n) for n in range(8)]
    twin = shipped.add("twin", windows(7, near), facets=0)  # sounds like 7, with the facets of 0
    answers = search(shipped.store, shipped.settings, str(ids[0]), k=100).matches
    parts = {
        m.track.id: {r.kind: r for r in m.reasons if r.kind not in ("section", "alike", "tags")}
        for m in answers
    }
    for match in answers:
        found = parts[match.track.id]
        assert set(found) == {"song", "windows", "course", *Facet}
        assert sum(r.value for r in found.values()) == pytest.approx(match.score, abs=1e-6)
        assert "unheard" not in found["timbre"].text
    for facet in Facet:
        assert parts[twin][facet].value == pytest.approx(0.1 / 2.5, abs=1e-4)
    scored = {match.track.id: match.score for match in answers}
    assert scored[twin] > scored[ids[7]] + 0.05
    for other in (twin, ids[3]):
        back = scores(shipped, other)
        assert back[ids[0]] == pytest.approx(scored[other], abs=1e-6)


def test_a_facet_that_was_not_heard_leaves_the_score_to_the_rest(shipped: Shelf) -> None:
    near = np.random.default_rng(0).standard_normal(DIM).astype(np.float32)
    asked = shipped.add("asked", windows(0, near), facets=0)
    deaf = shipped.add("deaf", windows(1, near))
    shipped.add("other", windows(2, near), facets=2)
    answers = search(shipped.store, shipped.settings, str(asked), k=9).matches
    (match,) = [one for one in answers if one.track.id == deaf]
    parts = {reason.kind: reason for reason in match.reasons}
    views = sum(parts[view].value for view in ("song", "windows", "course"))
    assert match.score == pytest.approx(views * 2.5 / 2, abs=1e-6)
    assert parts["rhythm"].text.startswith("rhythm (unheard) ")
    assert scores(shipped, deaf)[asked] == pytest.approx(match.score, abs=1e-6)


@pytest.mark.parametrize("query", [Query(), Query(emphasis={"harmony": 1.0})])
def test_facets_too_change_nothing_for_the_others(shipped: Shelf, query: Query) -> None:
    ids = [shipped.add(f"track {n}", windows(n), facets=n) for n in range(20)]
    before = scores(shipped, ids[0], query)
    new = shipped.add("new", windows(77), facets=77)
    after = scores(shipped, ids[0], query)
    assert [track_id for track_id in after if track_id != new] == list(before)
    assert {track_id: after[track_id] for track_id in before} == before


def test_what_is_asked_against_is_looked_at_as_closely(shelf: Shelf) -> None:
    near = np.random.default_rng(0).standard_normal(DIM).astype(np.float32)
    ids = [shelf.add(f"track {number}", windows(number, near)) for number in range(8)]
    plain, rejected = scores(shelf, ids[0]), scores(shelf, ids[1])
    query = Query(against=(str(ids[1]),))
    answers = search(shelf.store, shelf.settings, [str(ids[0])], query, k=100).matches
    assert len(answers) == 6
    for match in answers:
        expected = plain[match.track.id] - rejected[match.track.id] / 2
        assert match.score == pytest.approx(expected, abs=1e-6)


def test_the_course_tells_apart_what_the_mean_cannot(shelf: Shelf) -> None:
    rng = np.random.default_rng(5)
    calm, wild = rng.standard_normal((2, DIM))
    rising = unit(np.linspace(calm, wild, 23).astype(np.float32))
    level = unit(np.repeat(((calm + wild) / 2)[None], 23, axis=0).astype(np.float32))
    level = unit(level + 0.02 * rng.standard_normal(level.shape).astype(np.float32))
    asked = shelf.add("asked", rising)
    same_mean, same_course = shelf.add("level", level), shelf.add("rising", rising[::-1].copy())
    answer = search(shelf.store, shelf.settings, str(asked), k=2)
    assert [match.track.id for match in answer.matches] == [same_course, same_mean]
    first = answer.matches[0]
    kinds = [reason.kind for reason in first.reasons]
    assert kinds == ["song", "windows", "course", "section"]
    assert sum(reason.value for reason in first.reasons[:3]) == pytest.approx(first.score)


def test_a_section_is_found_with_its_place_its_repeats_and_how_sure(shelf: Shelf) -> None:
    own = windows(0)
    asked = shelf.add("asked", own)
    copy = windows(50)
    copy[4:8] = own[10:14]
    copy[15:19] = own[10:14]
    twice = shelf.add("twice", copy)
    for number in range(1, 25):
        shelf.add(f"track {number}", windows(number))
    answer = search(shelf.store, shelf.settings, str(asked), k=3, interval=Interval(25.0, 37.5))
    first, second = answer.matches[:2]
    assert first.track.id == twice
    assert first.match_section is not None
    places_s = sorted([first.match_section.start_s, *(r.start_s for r in first.repeats)])
    assert places_s == pytest.approx([10.0, 37.5], abs=0.5)
    assert first.confidence is not None
    assert first.confidence > 0.5
    assert second.confidence is not None
    assert second.confidence < 0.05


def test_a_filter_that_keeps_one_in_a_hundred_does_not_starve(shelf: Shelf) -> None:
    near = np.random.default_rng(0).standard_normal(DIM).astype(np.float32)
    with shelf.store.transaction():
        crowd = [shelf.add(f"near {number}", windows(number, near)) for number in range(120)]
        kept = shelf.add("far", windows(1000))
    for exact_below in (0, 100_000):
        settings = Settings(home=shelf.settings.home, exact_below=exact_below)
        for level, limit in ((Level.SONG, 1), (Level.WINDOW, 12)):
            found = nearest(
                shelf.store, settings, shelf.space, level, unit(near[None])[0], limit, crowd
            )
            assert len(found) == limit
            assert {hit.track_id for hit in found} == {kept}


def test_a_long_filter_finds_no_less_than_an_exact_scan(shelf: Shelf) -> None:
    ids = [shelf.add(f"track {number}", windows(number)) for number in range(60)]
    vector = unit(np.random.default_rng(9).standard_normal((1, DIM)).astype(np.float32))[0]
    by_index, exactly = (
        nearest(
            shelf.store, Settings(home=shelf.settings.home, exact_below=threshold), shelf.space,
            Level.SONG, vector, 10, ids[:50],
        )
        for threshold in (0, 100_000)
    )  # fmt: skip
    assert [hit.track_id for hit in by_index] == [hit.track_id for hit in exactly]


@pytest.mark.parametrize(
    ("interval", "reason"),
    [
        (Interval(61, 70), "starts at 61 s, but .* is 60.0 s long"),
        (Interval(30, 20), "ends .20 s. before it starts .30 s."),
        (Interval(20, 20), "before it starts"),
        (Interval(-5, 20), "starts at -5 s"),
        (Interval(float("nan"), 20), "start of the section is nan: wanted a number"),
    ],
)
def test_a_section_that_is_not_there_is_refused(
    shelf: Shelf, interval: Interval, reason: str
) -> None:
    shelf.add("asked", windows(0))
    with pytest.raises(UsageError, match=reason):
        search(shelf.store, shelf.settings, "asked", interval=interval)


def test_sections_are_asked_for_by_their_letter(shelf: Shelf) -> None:
    shelf.add("asked", windows(0))
    shelf.add("other", windows(1))
    answer = search(shelf.store, shelf.settings, "asked", section="b")
    assert answer.interval == Interval(30.0, 60.0)
    with pytest.raises(UnknownName, match="known are A, B"):
        search(shelf.store, shelf.settings, "asked", section="X")
    with pytest.raises(UsageError, match="exclude each other"):
        search(shelf.store, shelf.settings, "asked", section="A", interval=Interval(0, 9))


def test_of_two_that_sound_the_same_the_undamaged_one_comes_first(shelf: Shelf) -> None:
    shelf.add("asked", windows(0))
    broken, whole = shelf.add("broken", windows(1)), shelf.add("whole", windows(1))
    connection = shelf.store._session.connection
    connection.execute("UPDATE tracks SET damage = '3 damaged packets' WHERE id = %s", [broken])
    for k in (1, 2):
        found = search(shelf.store, shelf.settings, "asked", k=k).matches
        assert [match.track.id for match in found] == [whole, broken][:k]
    assert found[1].track.damage == "3 damaged packets"


def test_an_empty_library_says_so(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url) as store:
        settings = Settings(home=tmp_path, encoder="descriptors")
        for question in (search, form_of):
            with pytest.raises(UsageError, match=r"nothing is indexed .* run `mess index FOLDER`"):
                question(store, settings, "anything")
        # Where no encoder was chosen, the message names the one that would be used.
        with pytest.raises(NothingIndexed, match="the encoder mess-mini"):
            search(store, Settings(home=tmp_path), "anything")


def test_a_seed_that_failed_to_index_tells_its_reason(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add("other", windows(1))
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no music")
    (job_id,) = shelf.store.jobs.enqueue([SeenFile(str(broken), 8, 1)], RECIPE, uuid4()).job_ids
    assert shelf.store.jobs.start(job_id) is not None
    shelf.store.jobs.fail(job_id, "not-audio", "it cannot be decoded as audio")
    for _ in range(2):  # while the file is there, and after it went
        with pytest.raises(UsageError, match="could not be indexed: it cannot be decoded"):
            search(shelf.store, shelf.settings, str(broken))
        broken.unlink(missing_ok=True)


def test_a_library_of_one_answers_with_nothing(shelf: Shelf) -> None:
    asked = shelf.add("asked", windows(0))
    seed = seed_of_track(shelf.store, shelf.space, "asked", asked, None)
    for scope in (Level.SONG, Level.SECTION):
        assert search(shelf.store, shelf.settings, seed, k=5, scope=scope).matches == ()
    part = Interval(0, 20)
    assert search(shelf.store, shelf.settings, seed, k=5, interval=part).matches == ()


def test_the_form_shows_sections_and_bounded_similarity(shelf: Shelf) -> None:
    shelf.add("asked", windows(0))
    form = form_of(shelf.store, shelf.settings, "asked")
    assert [label for _, label in form.sections] == ["A", "B"]
    assert form.similarity.shape == (23, 23)
    np.testing.assert_allclose(form.similarity, form.similarity.T, atol=1e-6)
