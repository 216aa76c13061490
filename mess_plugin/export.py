"""What was heard in the library beside the encoder, as columns for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mess_plugin.facets import Facet, Measures
from mess_plugin.store import Store
from mess_plugin.vector_files import as_text

_PAGE = 5000


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
