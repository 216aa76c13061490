"""Requests of several callers become batches of one encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.errors import EncoderError
from mess_plugin.model import Float32, Level, Projection
from mess_workers.batching import BatchingEncoder


class Slow:
    """Encodes a window as its own first sample; stops before each batch until it may go on."""

    projections: Mapping[Level, Projection] = {}
    info = EncoderInfo("slow", "1", 10, 1.0, 1.0, 0.1, 1, "", "mean", "")

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []
        self.begun = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)

    def encode(self, windows: Float32) -> Float32:
        self.batches.append(windows.shape)
        self.begun.release()
        assert self.may_go_on.acquire(timeout=20)
        if windows[0, 0] < 0:
            raise EncoderError("slow", "it heard something negative")
        return windows[:, :1, None]


def windows(value: float, n: int, n_samples: int = 10) -> Float32:
    return np.full((n, n_samples), value, np.float32)


def ask_while_busy(
    slow: Slow, asked: list[Float32], most_windows: int = 64
) -> list[Future[Float32]]:
    """All of `asked` while the first batch, of one window, is under way."""
    shared = BatchingEncoder(slow, most_windows, threads=1)
    with ThreadPoolExecutor(len(asked) + 1) as callers:
        first = callers.submit(shared.encode, windows(0.5, 1))
        assert slow.begun.acquire(timeout=20)
        answers = []
        for one in asked:
            answers.append(callers.submit(shared.encode, one))
            while shared._requests.qsize() < len(answers):
                time.sleep(0.001)
        slow.may_go_on.release(100)
    assert first.result().shape == (1, 1, 1)
    return answers


def test_what_waits_is_one_batch_and_each_gets_its_own() -> None:
    slow = Slow()
    answers = ask_while_busy(slow, [windows(i, i) for i in (1, 2, 3)])
    assert slow.batches == [(1, 10), (6, 10)]
    for i, answer in zip((1, 2, 3), answers, strict=True):
        np.testing.assert_array_equal(answer.result(), np.full((i, 1, 1), i, np.float32))


def test_windows_of_another_length_are_a_batch_of_their_own() -> None:
    slow = Slow()
    answers = ask_while_busy(slow, [windows(1, 2), windows(2, 2, n_samples=7), windows(3, 1)])
    assert slow.batches == [(1, 10), (3, 10), (2, 7)]
    assert [float(answer.result()[0, 0, 0]) for answer in answers] == [1, 2, 3]


def test_a_batch_is_closed_when_it_is_full() -> None:
    slow = Slow()
    answers = ask_while_busy(slow, [windows(i, 4) for i in range(5)], most_windows=8)
    assert slow.batches == [(1, 10), (8, 10), (8, 10), (4, 10)]
    assert [float(answer.result()[0, 0, 0]) for answer in answers] == [0, 1, 2, 3, 4]


def test_an_error_reaches_all_of_its_batch_and_no_other() -> None:
    slow = Slow()
    asked = [windows(-1, 1), windows(1, 1), windows(2, 1, n_samples=7)]
    bad, beside, other = ask_while_busy(slow, asked)
    for answer in (bad, beside):
        with pytest.raises(EncoderError, match="something negative"):
            answer.result()
    assert float(other.result()[0, 0, 0]) == 2
