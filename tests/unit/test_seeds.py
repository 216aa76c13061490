from __future__ import annotations

import pytest

from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Match, Reason, Space, Tags, Track
from mess_plugin.reference import Seed
from mess_plugin.search import Answer
from mess_plugin.seeds import MAX_SEEDS, blend, similar_to_all

SPACE = Space(1, "descriptors", "1", "", "mean", 5.0, 2.5, 4)


def track(track_id: int) -> Track:
    return Track(track_id, 60.0, Tags(title=f"T{track_id}"), (f"/m/{track_id}.flac",))


def answer(seed_id: int, scores: dict[int, float]) -> Answer:
    """scores by track id, best first."""
    seed = Seed(str(seed_id), None, track(seed_id), 60.0, {})
    matches = tuple(
        Match(rank, score, track(i), None, Interval(0, seed_id), (Reason("song", score, "…"),))
        for rank, (i, score) in enumerate(scores.items(), start=1)
    )
    return Answer(seed, SPACE, None, matches)


def ranking(matches: tuple[Match, ...]) -> list[tuple[int, float]]:
    return [(match.track.id, round(match.score, 6)) for match in matches]


def test_the_mean_over_all_seeds_decides() -> None:
    first = answer(1, {10: 0.9, 11: 0.8, 12: 0.1})
    second = answer(2, {12: 0.9, 11: 0.8, 10: 0.1})
    assert ranking(blend([first, second], depth=100)) == [(11, 0.8), (10, 0.5), (12, 0.5)]


def test_seeds_never_answer_each_other() -> None:
    matches = blend([answer(1, {2: 0.99, 10: 0.5}), answer(2, {1: 0.99, 10: 0.5})], depth=100)
    assert ranking(matches) == [(10, 0.5)]
    assert matches[0].rank == 1


def test_a_full_list_bounds_what_it_does_not_name() -> None:
    full = answer(1, {10: 0.9, 11: 0.6})
    other = answer(2, {12: 0.8, 10: 0.4})
    # Track 12 could score up to 0.6 with the first seed, 11 up to 0.4 with the second.
    assert ranking(blend([full, other], depth=2)) == [(12, 0.7), (10, 0.65), (11, 0.5)]


def test_an_unfilled_list_has_nothing_for_what_it_does_not_name() -> None:
    assert ranking(blend([answer(1, {10: 0.9}), answer(2, {11: 0.8})], depth=9)) == [
        (10, 0.45),
        (11, 0.4),
    ]


def test_sections_and_reasons_come_from_the_closest_seed() -> None:
    match = blend([answer(1, {10: 0.5}), answer(2, {10: 0.7})], depth=9)[0]
    assert match.match_section == Interval(0, 2)
    assert [reason.text for reason in match.reasons] == [
        "mean over 2 seeds 0.60",
        "closest to T2: 0.70",
        "…",
    ]


def ask(answers: dict[str, Answer]):  # type: ignore[no-untyped-def]
    def one(_store: object, _settings: object, ref: str, *, k: int) -> Answer:
        found = answers[ref]
        return Answer(found.seed, SPACE, None, found.matches[:k])

    return one


def test_one_seed_answers_as_the_search_does() -> None:
    only = answer(1, {10: 0.9, 11: 0.8})
    found = similar_to_all(None, None, ["1", "1"], k=5, ask=ask({"1": only}))  # type: ignore[arg-type]
    assert found.matches == only.matches
    assert found.complete


def test_an_answer_cut_at_k_is_not_complete() -> None:
    answers = {"1": answer(1, {10: 0.9, 11: 0.8}), "2": answer(2, {10: 0.9, 11: 0.8})}
    for refs in (["1"], ["1", "2"]):
        found = similar_to_all(None, None, refs, k=1, ask=ask(answers))  # type: ignore[arg-type]
        assert ranking(found.matches) == [(10, 0.9)]
        assert not found.complete


@pytest.mark.parametrize("n", [0, MAX_SEEDS + 1])
def test_the_number_of_seeds_is_limited(n: int) -> None:
    with pytest.raises(UsageError, match=rf"there are {n} seeds: wanted 1 to {MAX_SEEDS}"):
        similar_to_all(None, None, [str(i) for i in range(n)])  # type: ignore[arg-type]
