"""The tasks on small worlds whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mess_plugin.evaluation import tasks
from mess_plugin.evaluation.labels import Triplet
from mess_plugin.evaluation.listing import ListedRecording, Role
from mess_plugin.evaluation.tasks import ExcerptPosition


def recording(
    album: str, artist: str = "", *, role: Role = Role.QUERY, mixed: bool = False, box: str = ""
) -> ListedRecording:
    return ListedRecording(
        track=f"{album}.ogg",
        album=album,
        artist=artist or album,
        collection=box or album,
        mixed=mixed,
        role=role,
        robustness=False,
    )


def test_album_retrieval_of_a_perfect_and_a_reversed_world() -> None:
    world = [recording("a"), recording("a"), recording("b"), recording("b")]
    same = np.array([[r.album == s.album for s in world] for r in world], np.float64)
    perfect = tasks.album_retrieval(same, world)
    assert perfect.groups == ("a", "a", "b", "b")
    for measure in ("MAP", "P@1", "P@5", "nDCG@10", "MRR"):
        np.testing.assert_allclose(perfect.measures[measure], 1)
    reversed_world = tasks.album_retrieval(-same, world)
    np.testing.assert_allclose(reversed_world.measures["MAP"], 1 / 3)
    np.testing.assert_allclose(reversed_world.measures["P@1"], 0)


def test_album_retrieval_ignores_the_artist_and_mixed_albums_of_the_collection() -> None:
    world = [
        recording("a", "ann", box="box"),
        recording("other", "ann"),  # another album by the artist
        recording("hits", "various", mixed=True, box="box", role=Role.DATABASE),
        recording("more hits", "various", mixed=True, box="elsewhere", role=Role.DATABASE),
        recording("a", "ann", box="box", role=Role.DATABASE),
    ]
    similarity = np.tile([1.0, 0.9, 0.8, 0.7, 0.6], (5, 1))
    result = tasks.album_retrieval(similarity, world)
    assert result.groups == ("a", "other")
    # Only "more hits" stands before the right one; "other" has no mates at all.
    np.testing.assert_allclose(result.measures["MAP"], [0.5, math.nan])


def test_groups_pairs_and_triplets() -> None:
    similarity = np.array([[1, 0.9, 0.1], [0.9, 1, 0.5], [0.1, 0.5, 1]])
    groups = tasks.group_retrieval(similarity, ["x", "y", "x"])
    np.testing.assert_allclose(groups.measures["MAP"], [0.5, math.nan, 0.5])
    pairs = tasks.pair_retrieval(similarity, ["a", "b", "c"], [("a", "b")])
    assert pairs.groups == ("a", "b")
    np.testing.assert_allclose(pairs.measures["P@1"], [1, 1])
    triplets = tasks.triplet_agreement(
        similarity, ["a", "b", "c"], [Triplet("a", "b", "c"), Triplet("c", "a", "b")]
    )
    np.testing.assert_allclose(triplets.measures["agreement"], [1, 0])


def test_same_recording() -> None:
    similarity = np.array([[0.9, 0.1, 0.2], [0.9, 0.5, 0.1]])
    result = tasks.same_recording("pitch", similarity, [0, 1], ["a", "b"])
    np.testing.assert_allclose(result.measures["R@1"], [1, 0])
    np.testing.assert_allclose(result.measures["MRR"], [1, 0.5])


def test_same_recording_of_identical_vectors_finds_nothing() -> None:
    result = tasks.same_recording("gain", np.ones((3, 3)), [0, 1, 2], ["a", "b", "c"])
    assert result.measures["R@1"].sum() == 0


def test_section_lookup() -> None:
    truth = [ExcerptPosition(0, 20.0)] * 5
    found = [
        ExcerptPosition(0, 23.0),
        ExcerptPosition(0, 40.0),
        ExcerptPosition(0, 60.0),
        ExcerptPosition(1, 20.0),
        None,
    ]
    result = tasks.section_lookup(
        found, truth, ["a"] * 5, same_sound=lambda _, answer: answer.start_s == 40.0
    )
    np.testing.assert_array_equal(result.measures["song"], [1, 1, 1, 0, 0])
    np.testing.assert_array_equal(result.measures["place"], [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(result.measures["place or repeat"], [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(result.measures["start error"], [3, *[math.nan] * 4])


def test_index_recall_of_answers_of_different_lengths() -> None:
    result = tasks.index_recall([[1, 2], [3, 9, 4]], [[1, 2, 5, 6], [3, 4, 7, 8]], ["a", "b"])
    np.testing.assert_allclose(result.measures["recall@4"], [0.5, 0.5])


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        tasks.same_recording("x", np.ones((2, 2)), [0], ["a", "b"])
