"""The user's own label files, and clear words about what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mess_plugin.errors import UsageError
from mess_plugin.evaluation.labels import Triplet, read_groups, read_pairs, read_triplets


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.tsv"


def test_groups(file: Path) -> None:
    file.write_text("\ufeff# calm and wild\na b.mp3\tcalm\n\nc.mp3\twild\r\nd.mp3\tcalm\n", "utf-8")
    assert read_groups(file) == {"a b.mp3": "calm", "c.mp3": "wild", "d.mp3": "calm"}


def test_pairs_are_kept_once(file: Path) -> None:
    file.write_text("a\tb\nb\ta\na\tc\n")
    assert read_pairs(file) == (("a", "b"), ("a", "c"))


def test_triplets(file: Path) -> None:
    file.write_text("a\tb\tc\n")
    assert read_triplets(file) == (Triplet(anchor="a", nearer="b", farther="c"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp3 calm\n", r"labels\.tsv:1: 'a\.mp3 calm' is not path<TAB>group"),
        ("a\tcalm\nb\t\n", r":2: 'b\\t' is not"),
        ("a\tcalm\na\twild\n", r":2: 'a' is in 'calm' and in 'wild'"),
        ("# nothing\n\n", "holds no labels"),
    ],
)
def test_malformed_groups(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_groups(file)


def test_malformed_pairs_and_triplets(file: Path) -> None:
    file.write_text("a\ta\n")
    with pytest.raises(UsageError, match="'a' is paired with itself"):
        read_pairs(file)
    file.write_text("a\tb\ta\n")
    with pytest.raises(UsageError, match="three different paths"):
        read_triplets(file)
    file.write_text("a\tb\n")
    with pytest.raises(UsageError, match="is not anchor<TAB>nearer<TAB>farther"):
        read_triplets(file)


def test_unreadable(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_groups(file)
    with pytest.raises(UsageError, match="Is a directory"):
        read_pairs(tmp_path)
    file.write_bytes(b"\xff\xfe\x00a\tb")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_groups(file)
