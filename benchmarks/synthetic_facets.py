"""Made-up facets and measures, anywhere, as rows; and how rows get into a table quickly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets import REVISION
from mess_plugin.facets.harmony import invariants
from mess_plugin.model import Float32

WIDTHS = {"timbre": 28, "harmony": 576, "rhythm": 66, "energy": 27, "structure": 280}
Row = tuple[Any, ...]
Rows = dict[str, tuple[Sequence[str], list[Row]]]


def described(rng: np.random.Generator, ids: Sequence[int]) -> Rows:
    """Table with columns → their types and the rows of some tracks."""
    facets: list[Row] = []
    for facet, width in WIDTHS.items():
        vectors = random_unit(rng, len(ids), width)
        search = invariants(vectors) if facet == "harmony" else None
        for place, i in enumerate(ids):
            found_by = None if search is None else HalfVector(search[place])
            facets.append((facet, i, REVISION, HalfVector(vectors[place]), found_by))
    measures: list[Row] = [
        (
            i, REVISION, float(rng.uniform(60, 180)), 0.5, int(rng.integers(12)), "minor", 0.5,
            -14.0, 5.0, float(rng.random()), bytes(256), float(rng.random()), float(rng.random()),
        )
        for i in ids
    ]  # fmt: skip
    return {
        "facets (facet, track_id, revision, vector, search)": (
            ("text", "int8", "text", "halfvec", "halfvec"), facets,
        ),
        "measures": (
            ("int8", "text", "float4", "float4", "int2", "text", "float4", "float4", "float4",
             "float4", "bytea", "float4", "float4"),
            measures,
        ),
    }  # fmt: skip


def copy_rows(
    connection: psycopg.Connection[Any], table: str, types: Sequence[str], rows: Iterable[Row]
) -> None:
    """Write rows to a table, named with its columns."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN WITH (FORMAT binary)") as copy,
    ):
        copy.set_types(list(types))
        for row in rows:
            copy.write_row(row)


def random_unit(rng: np.random.Generator, n: int, dim: int) -> Float32:
    """Vectors in all directions, (n, dim)."""
    return unit(rng.normal(size=(n, dim)).astype(np.float32))
