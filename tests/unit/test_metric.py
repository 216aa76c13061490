"""Learning a metric: what tells is learned, and what is said at random is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.errors import UsageError
from mess_plugin.metric.cross_validation import cross_validated, enough, folds, groups_of
from mess_plugin.metric.judgements import Comparisons, Judgements, compared, read
from mess_plugin.metric.linear_map import fit_linear_map, leads
from mess_plugin.model import Float32, Space
from mess_plugin.search.rerank import SECTION_WEIGHTS, weights_of

N_GROUPS, EACH = 16, 4


def library(seed: int) -> tuple[Float32, list[int]]:
    """Tracks whose group shows in four quiet dimensions, beside six loud ones that say nothing."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(N_GROUPS), EACH)
    centres = rng.normal(size=(N_GROUPS, 4))
    vectors = np.concatenate(
        [
            centres[group] + 0.3 * rng.normal(size=(len(group), 4)),
            2 * rng.normal(size=(len(group), 6)),
            0.3 * rng.normal(size=(len(group), 10)),
        ],
        axis=1,
    )
    return unit(vectors.astype(np.float32)), group.tolist()


def similar(group: list[int]) -> Judgements:
    pairs = [(i, j) for i in range(len(group)) for j in range(i) if group[i] == group[j]]
    return Judgements(tuple(pairs), (), ())


def test_what_tells_is_learned_and_held_out_tracks_gain() -> None:
    vectors, group = library(0)
    comparisons, drawn = compared(similar(group), range(len(group)))
    assert drawn  # nobody said what is dissimilar
    assert enough(comparisons)[1] == N_GROUPS
    trial = cross_validated(vectors, comparisons)
    assert trial.helps
    assert trial.fitted_right > trial.plain_right + 0.15
    matrix = fit_linear_map(vectors, comparisons, trial.pull)
    assert (leads(vectors, comparisons, matrix) > 0).mean() > (
        leads(vectors, comparisons) > 0
    ).mean()


def test_what_is_said_at_random_is_not_learned() -> None:
    for seed in range(3):
        vectors, group = library(seed)
        shuffled = np.random.default_rng(seed).permutation(group).tolist()
        comparisons, _ = compared(similar(shuffled), range(len(group)))
        assert not cross_validated(vectors, comparisons).helps


def test_a_strong_pull_leaves_all_as_it_is() -> None:
    vectors, group = library(1)
    comparisons, _ = compared(similar(group), range(len(group)))
    near_identity = fit_linear_map(vectors, comparisons, 1e4)
    np.testing.assert_allclose(near_identity, np.eye(vectors.shape[1]), atol=0.05)
    nothing = Comparisons(np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64))
    np.testing.assert_array_equal(fit_linear_map(vectors, nothing, 1.0), np.eye(vectors.shape[1]))


def test_no_asked_anchor_is_in_the_fit() -> None:
    _, group = library(2)
    comparisons, _ = compared(similar(group), range(len(group)))
    groups = groups_of(comparisons)
    asked_in_all = 0
    for fitting, asked in folds(comparisons, groups):
        anchors = set(comparisons.nearer[asked][:, 0].tolist())
        fitted_on = {*comparisons.nearer[fitting].ravel(), *comparisons.farther[fitting].ravel()}
        assert not anchors & {int(i) for i in fitted_on}
        assert not set(groups[asked].tolist()) & set(groups[fitting].tolist())
        asked_in_all += len(asked)
    assert asked_in_all == len(groups)


def test_dissimilar_pairs_are_heeded() -> None:
    judgements = Judgements(((1, 2),), ((1, 3), (2, 4), (5, 6)), ((7, 8, 9),))
    comparisons, drawn = compared(judgements, range(10))
    assert not drawn
    found = {(*near, *far) for near, far in zip(
        comparisons.nearer.tolist(), comparisons.farther.tolist(), strict=True)}  # fmt: skip
    assert found == {(7, 8, 7, 9), (1, 2, 1, 3), (2, 1, 2, 4)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no judgements"),
        ("a\n", "is neither path"),
        ("a\ta\n", "compared with itself"),
        ("a\tb\tdissimilar\n", "says of nothing that it is similar"),
        ("a\tb\nb\ta\tdissimilar\n", "similar and dissimilar"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read(file, ord)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("# mine\na\tb\nc\td\tsimilar\na\tc\tdissimilar\na\tb\tc\n")
    a, b, c, d = map(ord, "abcd")
    assert read(file, ord) == Judgements(((a, b), (c, d)), ((a, c),), ((a, b, c),))
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path / "none.tsv", ord)


def test_a_metric_on_a_shipped_projection_is_reranked_by_its_sections() -> None:
    space = Space(2, "e", "1", "none", "mean", 5.0, 2.5, 8, "metric-mine-00@wccn-1", 1)
    assert weights_of(space) == SECTION_WEIGHTS
