"""Export for other programs: vectors, facets and measures as npz or Parquet, by the file name's ending.

npz holds arrays, columns of one length. Parquet holds the same columns as rows, written a batch at a
time, so that a library of any size fits; it needs the extra `parquet`. A file appears when it is
complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mess_plugin.atomic_file import replacing
from mess_plugin.errors import UsageError
from mess_plugin.facets import Facet, Measures
from mess_plugin.model import Float32
from mess_plugin.store import Store

ENDINGS = (".npz", ".parquet")
_PAGE = 5000  # tracks read at once
_BATCH = 4096  # rows: some MB of vectors
_OF_A_ROW = {"paths": "path", "ids": "id", "vectors": "vector"}  # names of columns in Parquet

Row = tuple[str, float, float, Float32]  # path, start_s, end_s, vector (dim,)
Columns = Mapping[str, npt.NDArray[Any]]


def check_file(out: Path) -> None:
    """Raise UsageError where a file of that name cannot be written."""
    if out.suffix not in ENDINGS:
        raise UsageError(f"--out is {out}: wanted a name that ends in {' or '.join(ENDINGS)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out is {out}: there is no folder {out.absolute().parent}")
    if out.suffix == ".parquet":
        _pyarrow()


def write_vectors(out: Path, rows: Iterable[Row], about: Mapping[str, str]) -> tuple[int, int]:
    """Write a vector a row; (how many, of how many dimensions), (0, 0) and no file without any.

    about: what the vectors are, which becomes the metadata of a Parquet file; npz has no room for it.
    """
    pieces = _pieces(iter(rows))
    first = next(pieces, None)
    if first is None:
        return 0, 0
    n = _write(out, chain([first], pieces), about)
    return n, first["vectors"].shape[1]


def write_columns(out: Path, columns: Columns) -> None:
    """Write columns of one length, (n,) or (n, dim) each. NaN and empty texts are null in Parquet."""
    _write(out, iter([columns]), {})


def as_text(path: str) -> str:
    """A path as UTF-8; bytes that are no text become escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _pieces(rows: Iterator[Row]) -> Iterator[Columns]:
    """Rows as columns, some thousand at a time."""
    while batch := list(islice(rows, _BATCH)):
        paths, start_s, end_s, vectors = zip(*batch, strict=True)
        yield {
            "paths": np.array([as_text(path) for path in paths]),
            "start_s": np.array(start_s, dtype=np.float64),
            "end_s": np.array(end_s, dtype=np.float64),
            "vectors": np.stack(vectors).astype(np.float32),
        }


def _write(out: Path, pieces: Iterator[Columns], about: Mapping[str, str]) -> int:
    """Write pieces below each other, at least one; the number of rows."""
    with replacing(out) as draft:
        return (_write_parquet if out.suffix == ".parquet" else _write_npz)(draft, pieces, about)


def _write_npz(part: Path, pieces: Iterator[Columns], _about: Mapping[str, str]) -> int:
    every = list(pieces)
    columns = {name: np.concatenate([piece[name] for piece in every]) for name in every[0]}
    np.savez(part, allow_pickle=False, **columns)
    return len(columns["paths"])


def _write_parquet(part: Path, pieces: Iterator[Columns], about: Mapping[str, str]) -> int:
    pa = _pyarrow()
    n = 0
    with ExitStack() as stack:
        writer = None
        for columns in pieces:
            arrays = [_arrow(pa, values) for values in columns.values()]
            names = [_OF_A_ROW.get(name, name) for name in columns]
            batch = pa.record_batch(arrays, names=names, metadata=dict(about))
            if writer is None:
                writer = stack.enter_context(pa.parquet.ParquetWriter(part, batch.schema))
            writer.write_batch(batch)
            n += len(batch)
    return n


def _arrow(pa: Any, values: npt.NDArray[Any]) -> Any:
    """(n,) as an Arrow array in which NaN and empty texts are null; (n, dim) as lists of one size."""
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    if values.dtype.kind == "U":
        return pa.array(values, mask=values == "")
    return pa.array(values, from_pandas=True)


def _pyarrow() -> Any:
    """Asked for only where a Parquet file is wanted: it is 55 MB to download."""
    try:
        import pyarrow  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "a Parquet file needs pyarrow: pip install 'mess-plugin[parquet]', or write .npz"
        ) from error
    return pyarrow


def facet_columns(store: Store) -> dict[str, npt.NDArray[Any]]:
    """`paths` and `ids` (n,), and a column a facet, (n, dim) float32; tracks that have them all."""
    columns: dict[str, list[Any]] = {name: [] for name in ("paths", "ids", *Facet)}
    for ids, paths in _pages(store):
        vectors = {facet: store.facets.of_tracks(facet, ids) for facet in Facet}
        for track_id in ids:
            if all(track_id in of for of in vectors.values()):
                columns["paths"].append(paths[track_id])
                columns["ids"].append(track_id)
                for facet, of in vectors.items():
                    columns[facet].append(of[track_id])
    return {str(name): np.array(values) for name, values in columns.items()}


def measure_columns(store: Store) -> dict[str, npt.NDArray[Any]]:
    """`paths` and `ids` (n,), and a column a measure; what is not known is NaN, or "" for the mode."""
    rows: list[Mapping[str, object]] = []
    for ids, paths in _pages(store):
        measured = store.facets.measures(ids)
        rows += [_row(i, paths[i], measured[i][0]) for i in ids if i in measured]
    if not rows:
        return {"paths": np.array([]), "ids": np.array([], dtype=np.int64)}
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def _pages(store: Store) -> Any:
    """(ids, id → path as printable text) of the tracks that lie somewhere, a page at a time."""
    last = 0
    while page := store.library.after(last, _PAGE):
        last = page[-1]
        tracks = store.library.get(page)
        paths = {i: as_text(track.path or "") for i, track in tracks.items()}
        yield [i for i in page if i in paths], paths


def _row(track_id: int, path: str, measures: Measures) -> Mapping[str, object]:
    tempo, key, loudness = measures.tempo, measures.key, measures.loudness
    return {
        "paths": path,
        "ids": track_id,
        "tempo_bpm": tempo and tempo.bpm,
        "tempo_confidence": tempo and tempo.confidence,
        "tonic": key and float(key.tonic),
        "mode": key.mode if key else "",
        "key_confidence": key and key.confidence,
        "loudness_lufs": loudness.integrated_lufs,
        "loudness_range_lu": loudness.range_lu,
        "activity": measures.activity,
        "brightness": measures.brightness,
        "drive": measures.drive,
    }


def _column(values: list[Any]) -> npt.NDArray[Any]:
    if isinstance(values[0], str):
        return np.array(values)
    if isinstance(values[0], int):
        return np.array(values, dtype=np.int64)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
