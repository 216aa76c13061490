"""Self-similarity, its picture and its drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.windows import grid
from mess_plugin.cli.sections import HEIGHT, WIDTH, drawing
from mess_plugin.model import Float32, Interval, Level, LevelVectors
from mess_plugin.search.picture import save_picture
from mess_plugin.search.seeds import Seed
from mess_plugin.search.self_similarity import MAX_STEPS, MusicalForm, contrasted, self_similarity


def two_halves(duration_s: float) -> LevelVectors:
    """Windows of a recording whose second half is unlike the first."""
    intervals = grid(duration_s, 5.0, 2.5)
    rng = np.random.default_rng(0)
    vectors = 0.1 * rng.standard_normal((len(intervals), 8))
    vectors[np.arange(len(intervals)), (intervals.mean(axis=1) > duration_s / 2).astype(int)] += 1
    return LevelVectors(intervals, unit(vectors.astype(np.float32)))


def form(duration_s: float = 60.0) -> MusicalForm:
    half = duration_s / 2
    sections = ((Interval(0, half), "A"), (Interval(half, duration_s), "B"))
    windows = two_halves(duration_s)
    seed = Seed("r", "/r.flac", None, duration_s, {Level.WINDOW: windows})
    return MusicalForm(seed, sections, self_similarity(windows, duration_s))


def test_halves_are_like_themselves_and_unlike_each_other() -> None:
    similarity = form().similarity
    middle = len(similarity) // 2
    assert similarity[: middle - 1, : middle - 1].min() > 0.8
    assert similarity[: middle - 2, middle + 2 :].max() < 0.4


def test_hours_need_no_more_memory_than_minutes() -> None:
    assert form(4 * 3600.0).similarity.shape == (MAX_STEPS, MAX_STEPS)


def test_one_window_and_silence_in_between() -> None:
    assert self_similarity(two_halves(3.0), 3.0).tolist() == [[pytest.approx(1.0)]]
    windows = two_halves(60.0)
    kept = np.r_[0:5, 18:23]  # silent windows are not stored
    gap = LevelVectors(windows.intervals[kept], windows.vectors[kept])
    assert np.isfinite(self_similarity(gap, 60.0)).all()


@pytest.mark.parametrize("matrix", [np.ones((3, 3)), np.eye(40), np.zeros((1, 1))])
def test_contrast_stays_between_nought_and_one(matrix: Float32) -> None:
    values = contrasted(matrix.astype(np.float32))
    assert values.min() >= 0
    assert values.max() <= 1


def test_the_picture_is_a_png_with_dark_corners_and_bright_diagonal(tmp_path: Path) -> None:
    path = tmp_path / "form.png"
    save_picture(form(), path)
    assert list(tmp_path.iterdir()) == [path]
    with Image.open(path) as image:
        assert image.format == "PNG"
        grey = np.asarray(image.convert("L"))[64:864, 64:864]
    assert grey[100:300, 100:300].mean() > 2 * grey[100:300, 500:700].mean()


def test_the_drawing_names_the_sections_where_they_begin() -> None:
    letters, *rows = drawing(form())
    assert letters.index("|A") == 0
    assert letters.index("|B") == WIDTH // 2
    assert len(rows) == HEIGHT
    assert rows[0][0] in "▓█"
    assert rows[0][-1] in " ░"
