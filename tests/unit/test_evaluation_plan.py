"""How long an evaluation takes, and what its figures say."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.evaluation import tasks
from mess_plugin.evaluation.duration import QUICK_S, quick, seconds_of, shortened, steps_of
from mess_plugin.evaluation.labels import Triplet
from mess_plugin.evaluation.library import EvaluationPlan, Task
from mess_plugin.evaluation.meaning import explained
from mess_plugin.evaluation.search import Step
from mess_plugin.evaluation.tasks import ExcerptPosition, TaskResult
from mess_plugin.evaluation.transforms import TRANSFORMS

N = 500
EVERYTHING = EvaluationPlan(frozenset(set(Task) - {Task.LABELS}), queries=200, files=20)
COSTS = {
    Step.QUESTION: 0.1, Step.INDEX: 0.05, Step.DECODED: 0.5, Step.TRANSFORMED: 0.5, Step.HALF: 0.2,
    Step.SECTION: 0.4,
}  # fmt: skip


def test_the_steps_of_a_plan_add_up_to_its_length() -> None:
    steps = steps_of(EVERYTHING, N)
    assert steps[Step.QUESTION] == 200
    assert steps[Step.TRANSFORMED] == 20 * len(TRANSFORMS) == 140
    questions_s = 200 * 0.1 + 400 * 0.05
    files_s = 40 * 0.5 + 140 * 0.5 + 40 * 0.2 + 60 * 0.4
    assert seconds_of(EVERYTHING, COSTS, N) == pytest.approx(questions_s + files_s)
    only_tags = EvaluationPlan(frozenset({Task.TAGS}), queries=200)
    assert seconds_of(only_tags, COSTS, 30) == pytest.approx(30 * 0.1)  # no more tracks to ask


@pytest.mark.parametrize("n_systems", [1, 2])
def test_a_quick_plan_fits_into_a_minute_for_all_systems(n_systems: int) -> None:
    plan = quick(shortened(EVERYTHING), [COSTS] * n_systems, N)
    total_s = n_systems * seconds_of(plan, COSTS, N)
    assert 0.5 * QUICK_S < total_s <= QUICK_S
    assert plan.sample_s < EVERYTHING.sample_s
    assert 10 <= plan.queries <= 200
    assert 2 <= plan.files < 20


def test_a_quick_plan_is_never_more_than_asked_for_nor_too_little_to_say_anything() -> None:
    fast = dict.fromkeys(Step, 1e-6)
    assert quick(EVERYTHING, [fast], N) == EVERYTHING
    slow = dict.fromkeys(Step, 1000.0)
    plan = quick(EVERYTHING, [slow], N)
    assert (plan.queries, plan.files) == (10, 2)


def test_every_figure_is_explained_in_a_line() -> None:
    similarity = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 1.0]])
    there = ExcerptPosition(0, 1.0)
    groups = ["a", "a", "b"]
    paths = ["x", "y", "z"]
    results = [
        *(tasks.same_recording(name, similarity, [0, 1, 2], groups) for name in TRANSFORMS),
        tasks.same_recording("halves", similarity, [0, 1, 2], groups),
        tasks.section_lookup([there], [there], ["a"]),
        *(
            TaskResult(f"index, {kind}", {"recall@20": np.ones(2)}, ("a", "b"))
            for kind in ("songs", "windows")
        ),
        tasks.group_retrieval(similarity, groups),
        tasks.pair_retrieval(similarity, paths, [("x", "y")]),
        tasks.triplet_agreement(similarity, paths, [Triplet("x", "y", "z")]),
    ]
    rows = explained(results)
    figures = [figure for figure, _, _ in rows]
    assert len(figures) == len(set(figures))
    assert figures.count("changed files R@1") == 1
    assert {"groups MAP", "section place", "index, songs recall@20"} <= set(figures)
    assert all(says and good for _, says, good in rows)
    # One of the two others is right for each of the two tracks that have a companion.
    assert {figure: good for figure, _, good in rows}["groups MAP"].endswith("guessing .50")


def test_guessing_is_as_good_as_its_share_of_right_ones() -> None:
    rng = np.random.default_rng(0)
    relevant = np.zeros((400, 100), np.bool_)
    relevant[:, :7] = True
    result = tasks.retrieval(
        "album", rng.random((400, 100)), relevant, np.zeros_like(relevant), [""] * 400
    )
    assert result.chance == pytest.approx(0.07)
    assert np.mean(result.measures["P@1"]) == pytest.approx(0.07, abs=0.04)
