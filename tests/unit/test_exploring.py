"""Clusters, their names, and the map, on made-up music whose groups are known."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.exploring.clusters import cluster
from mess_plugin.exploring.drawing import LEGEND, SIDE, save_map
from mess_plugin.exploring.feature_matrix import FeatureMatrix
from mess_plugin.exploring.layout import lay_out, principal
from mess_plugin.exploring.naming import names_of
from mess_plugin.store.filters import Facts


def known(number: int, **values: object) -> Facts:
    plain: dict[str, Any] = {
        "title": f"t{number}", "artist": None, "genre": None, "year": None, "tempo_bpm": None,
        "mode": None, "activity": None, "loudness_lufs": None,
    }  # fmt: skip
    return Facts(number, f"/m/{number}.flac", **{**plain, **values})


KINDS = (
    {"genre": "Ambient; Drone", "activity": 0.1, "tempo_bpm": 70.0, "mode": "minor"},
    {"genre": "Rock", "drive": 0.9, "tempo_bpm": 150.0, "mode": "major"},
    {"artist": "Someone", "activity": 0.5, "tempo_bpm": 110.0, "mode": "major"},
)


@pytest.fixture(scope="module")
def features() -> FeatureMatrix:
    """90 tracks around three directions (30 + 20 + 10 …), and one that belongs to none."""
    rng = np.random.default_rng(3)
    centres = np.eye(3, 24, dtype=np.float32)
    groups = [0] * 40 + [1] * 30 + [2] * 20
    rng.shuffle(groups)
    noise = rng.normal(size=(len(groups), 24)).astype(np.float32) * 0.05
    vectors = unit(centres[groups] + noise)
    lonely = np.zeros((1, 24), dtype=np.float32)
    lonely[0, 20] = 1
    facts = [known(n, **KINDS[group]) for n, group in enumerate(groups)]
    return FeatureMatrix([*facts, known(999)], np.concatenate([vectors, lonely]))


def test_groups_examples_and_outliers_are_found(features: FeatureMatrix) -> None:
    found = cluster(features, 3, seed=1, n_outliers=1)
    assert [len(one.members) for one in found.clusters][1:] in ([30, 20], [30, 21], [31, 20])
    for one in found.clusters:
        kinds = {features.facts[place].genre for place in one.members if place != 90}
        assert len(kinds) == 1
        likeness = found.likeness[list(one.members)]
        assert (np.diff(likeness) <= 0).all()
        assert one.tightness == pytest.approx(float(likeness.mean()))
    assert found.outliers == (90,)
    for place, group in enumerate(found.of_track.tolist()):
        assert place in found.clusters[group].members


def test_clusters_are_the_same_again(features: FeatureMatrix) -> None:
    assert cluster(features, 5, seed=2).clusters == cluster(features, 5, seed=2).clusters
    assert len(cluster(features).clusters) == 7
    alone = FeatureMatrix(features.facts[:4], np.repeat(features.vectors[:1], 4, axis=0))
    same = cluster(alone, 3)  # four times the same track: some groups stay without one
    assert sum(len(one.members) for one in same.clusters) == 4


def test_names_are_earned_and_distinct(features: FeatureMatrix) -> None:
    groups = [
        [place for place, one in enumerate(features.facts) if one.tempo_bpm == tempo]
        for tempo in (70.0, 150.0, 110.0)
    ]
    names = names_of(features.facts, groups)
    assert names == ["ambient, calm", "driving, fast", "Someone, major"]
    swapped = [
        known(one.track_id, tempo_bpm=220 - (one.tempo_bpm or 110)) for one in features.facts
    ]
    assert names_of(swapped, groups[:2]) == ["fast", "slow"]
    assert names_of([known(n) for n in range(4)], [[0], [1], [2, 3]]) == [
        "like “t0”", "like “t1”", "like “t2”",
    ]  # fmt: skip


def test_no_two_clusters_are_called_the_same() -> None:
    kinds = [{"genre": "Rock", "drive": 0.9}] * 6 + [{"genre": "Folk", "activity": 0.1}] * 12
    facts = [known(n, **kind, title=None) for n, kind in enumerate(kinds)]
    assert names_of(facts, [[0, 1, 2], [3, 4], [5], list(range(6, 18))]) == [
        "driving, rock", "driving, rock, like “3.flac”", "driving, rock, like “5.flac”", "calm, folk",
    ]  # fmt: skip
    twins = [known(n, title="Same") for n in range(3)]
    assert len(set(names_of(twins, [[0], [1], [2]]))) == 3


def test_a_mood_in_a_name_is_the_mood_that_filters_know() -> None:
    """Loud and busy is not "driving": that is a pulse, as for `--mood driving`."""
    metal = [known(n, activity=0.95, drive=0.4, brightness=0.9) for n in range(5)]
    rest = [known(n, activity=0.5, drive=0.5, brightness=0.5) for n in range(5, 20)]
    assert names_of([*metal, *rest], [range(5)]) == ["bright"]


def test_the_map_keeps_groups_together(features: FeatureMatrix, tmp_path: Path) -> None:
    points = lay_out(features.vectors)
    assert points.shape == (91, 2)
    assert (points.min(), points.max()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    assert np.array_equal(points, lay_out(features.vectors))
    found = cluster(features, 3)
    own = np.array([np.median(points[list(one.members)], axis=0) for one in found.clusters])
    nearest = np.linalg.norm(points[:90, None] - own, axis=2).argmin(axis=1)
    assert (nearest == found.of_track[:90]).mean() > 0.95
    centred = features.vectors - features.vectors.mean(axis=0)
    spread = np.linalg.svd(centred, compute_uv=False)[:2]
    assert np.linalg.norm(principal(features.vectors, 2), axis=0) == pytest.approx(spread, rel=1e-3)
    save_map(points, found, tmp_path / "map.png")
    from PIL import Image

    with Image.open(tmp_path / "map.png") as image:
        assert image.size == (SIDE + LEGEND, SIDE)
        assert len(image.getcolors(1 << 20) or ()) > 3
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_a_map_of_equal_tracks_is_a_point(features: FeatureMatrix) -> None:
    assert (lay_out(np.repeat(features.vectors[:1], 5, axis=0)) == 0.5).all()


def test_what_cannot_be_explored(features: FeatureMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (0, 92):
        with pytest.raises(UsageError, match=f"{wrong} clusters are asked for: wanted 1 to 91"):
            cluster(features, wrong)
    with pytest.raises(UsageError, match="seed is -1"):
        cluster(features, 3, seed=-1)
    with pytest.raises(UnknownName, match="layout"):
        lay_out(features.vectors, "umap")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "openTSNE":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"mess-plugin\[map\]"):
        lay_out(features.vectors, "tsne")
