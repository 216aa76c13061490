"""One budget for a whole question: all its files and passes, until nobody waits any more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mess_plugin import audio
from mess_plugin.audio.budget import Budget, current, resident_bytes, within
from mess_plugin.errors import AudioError
from tests.audio_files import music, write_audio


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_audio(tmp_path / "song.wav", music(20.0), 44100)


def _hear(path: Path) -> None:
    with audio.decode(path, 22050) as decoding:
        for _ in decoding:
            pass


def test_passes_share_one_time_limit(song: Path) -> None:
    budget = Budget(60.0)
    with within(budget):
        _hear(song)
        budget._deadline_s = time.monotonic()  # as if the first pass had used all of it
        with pytest.raises(AudioError, match=r"whole question took longer than 60 s") as late:
            _hear(song)
    assert late.value.kind == "too-slow"
    _hear(song)  # no budget holds outside of it


def test_a_question_that_nobody_waits_for_ends_inside_a_file(song: Path) -> None:
    budget = Budget()
    with within(budget), audio.decode(song, 22050) as decoding:
        blocks = iter(decoding)
        next(blocks)
        budget.end()
        with pytest.raises(AudioError, match="Nobody waits"):
            list(blocks)


def test_memory_ends_a_question(song: Path) -> None:
    if not resident_bytes():
        pytest.skip("this system does not tell how much memory a process holds")
    with within(Budget(memory_mb=1)), pytest.raises(AudioError, match="more than 1 MB") as large:
        _hear(song)
    assert large.value.kind == "memory"
    with within(Budget(memory_mb=1_000_000)):
        _hear(song)


def test_budgets_end_with_their_block() -> None:
    outer, inner = Budget(), Budget()
    with within(outer):
        with within(inner):
            assert current() is inner
        assert current() is outer
    assert current() is None
