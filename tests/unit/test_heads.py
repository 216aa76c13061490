"""Heads: fitting, calibrating, and the one that comes with MESS."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.errors import UnknownName
from mess_plugin.heads.fit import calibrate, ridge
from mess_plugin.heads.head import read_head, shipped_head, write_head
from mess_plugin.search import Filters


def test_ridge_finds_the_map_that_made_the_values() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((400, 12)).astype(np.float32)
    matrix = rng.standard_normal((12, 3)).astype(np.float32)
    found = ridge(vectors, vectors @ matrix + 2, 1e-6)
    assert found.matrix == pytest.approx(matrix, abs=1e-3)
    assert found(vectors) == pytest.approx(vectors @ matrix + 2, abs=1e-2)
    flat = ridge(vectors, vectors @ matrix + 2, 1e6)  # all penalty: the mean
    assert np.ptp(flat(vectors), axis=0) == pytest.approx(np.zeros(3), abs=0.1)


@pytest.mark.parametrize(("slope", "shift"), [(2.0, -1.0), (0.3, 2.0), (8.0, 40.0)])
def test_a_calibrated_probability_is_a_share(slope: float, shift: float) -> None:
    """Values of any scale, also far off 0 and nearly separate, as logits of a tagger are."""
    rng = np.random.default_rng(2)
    raw = rng.standard_normal(4000) * 2 / slope - shift / slope
    truth = rng.random(4000) < 1 / (1 + np.exp(-(slope * raw + shift)))
    fitted = calibrate(raw, truth)
    probable = 1 / (1 + np.exp(-(fitted[0] * raw + fitted[1])))
    for low in (0.1, 0.3, 0.5, 0.7):
        among = (probable >= low) & (probable < low + 0.2)
        assert truth[among].mean() == pytest.approx(probable[among].mean(), abs=0.06)


def test_labels_that_never_hold_do_not_break_the_curve() -> None:
    slope, shift = calibrate(np.linspace(-3, 3, 50), np.zeros(50, dtype=np.bool_))
    assert np.isfinite([slope, shift]).all()


def test_the_shipped_head_survives_its_file() -> None:
    head = shipped_head()
    again = read_head(write_head(head))
    vectors = np.random.default_rng(3).standard_normal((5, len(head.mean))).astype(np.float32)
    assert again.labels == head.labels
    assert np.array_equal(again.raw(vectors), head.raw(vectors))
    probable = head.probable(head.raw(vectors))
    assert ((probable >= 0) & (probable <= 1)).all()
    for row in probable:
        said = head.said(row)
        assert [row[head.labels.index(tag)] >= head.bar for tag in said] == [True] * len(said)


def test_an_unknown_tag_gets_a_suggestion() -> None:
    assert Filters(tags=("Hip-Hop",)).any
    with pytest.raises(UnknownName, match="did you mean 'metal'"):
        Filters(tags=("mettal",))
    with pytest.raises(UnknownName, match="unknown tag 'tuba'"):
        Filters(excluded_tags=("tuba",))
