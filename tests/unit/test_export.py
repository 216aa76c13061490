"""Files of vectors: npz and Parquet hold the same, and half a file is never there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mess_plugin import export
from mess_plugin.errors import UsageError
from mess_plugin.export import Row, check_file, write_columns, write_vectors

ABOUT = {"space": "some@1", "level": "window"}


def rows(n: int, dim: int = 3) -> list[Row]:
    vectors = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
    return [(f"/m/{i}\udcff.mp3", 2.5 * i, 2.5 * i + 5, vectors[i]) for i in range(n)]


@pytest.mark.parametrize("n", [1, 4, 5, 9])  # one piece, just one, one more, several
def test_parquet_holds_what_npz_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr(export, "_BATCH", 4)
    arrays, table = tmp_path / "v.npz", tmp_path / "v.parquet"
    assert write_vectors(arrays, rows(n), ABOUT) == write_vectors(table, rows(n), ABOUT) == (n, 3)
    read, wanted = pq.read_table(table), np.load(arrays)
    assert read.column_names == ["path", "start_s", "end_s", "vector"]
    assert read.schema.field("vector").type == pa.list_(pa.float32(), 3)
    assert read["path"].to_pylist() == wanted["paths"].tolist()
    assert read["path"][0].as_py() == "/m/0\\udcff.mp3"
    for name in ("start_s", "end_s"):
        np.testing.assert_array_equal(read[name].to_numpy(), wanted[name])
    np.testing.assert_array_equal(np.array(read["vector"].to_pylist()), wanted["vectors"])
    assert {key.decode(): text.decode() for key, text in read.schema.metadata.items()} == ABOUT
    assert sorted(tmp_path.iterdir()) == [arrays, table]


def test_columns_become_rows_in_which_the_unknown_is_null(tmp_path: Path) -> None:
    columns = {
        "paths": np.array(["/a", "/b"]),
        "ids": np.array([3, 7]),
        "tempo_bpm": np.array([90.5, np.nan]),
        "mode": np.array(["", "minor"]),
        "timbre": np.eye(2, dtype=np.float32),
    }
    write_columns(tmp_path / "heard.parquet", columns)
    assert pq.read_table(tmp_path / "heard.parquet").to_pylist() == [
        {"path": "/a", "id": 3, "tempo_bpm": 90.5, "mode": None, "timbre": [1, 0]},
        {"path": "/b", "id": 7, "tempo_bpm": None, "mode": "minor", "timbre": [0, 1]},
    ]


@pytest.mark.parametrize("ending", export.ENDINGS)
def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"v{ending}"
    assert write_vectors(out, [], ABOUT) == (0, 0)
    assert not out.exists()
    write_vectors(out, rows(2), ABOUT)
    before = out.read_bytes()

    def broken() -> Iterator[Row]:
        yield from rows(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_vectors(out, broken(), ABOUT)
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_names_that_cannot_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v.txt", "v", "v.PARQUET"):
        with pytest.raises(UsageError, match=r"ends in \.npz or \.parquet"):
            check_file(tmp_path / name)
    with pytest.raises(UsageError, match="there is no folder"):
        check_file(tmp_path / "nowhere" / "v.npz")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'mess-plugin\[parquet\]'"):
        check_file(tmp_path / "v.parquet")
    check_file(tmp_path / "v.npz")
