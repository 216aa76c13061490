"""Score the facets on rendered scores: does each hear its own aspect and no other?

    python benchmarks/render_scores.py RENDERED
    python benchmarks/controlled_set.py RENDERED

Same piece: a rendering asks all other renderings as written for its piece in another
instrumentation; "among others" leaves out those in the asking instrumentation. Same instrumentation:
a rendering asks those of all other pieces. Tempo and key are compared with the scores.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from mess_plugin.facets import Facet, TrackFacets, key, scale
from mess_plugin.facets.extract import hear_facets
from mess_plugin.model import Float32

Row = dict[str, str]


def main() -> None:
    """Parse the command line, hear the renderings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rendered", type=Path)
    folder: Path = parser.parse_args().rendered
    with (folder / "list.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    heard = [_heard(folder / row["file"]) for row in rows]
    print(
        "| facet | other instruments R@1 | among others | higher R@1 | faster R@1 | instruments MAP |"
    )
    print("|---|---|---|---|---|---|")
    for name in (*Facet, "harmony, exact key"):
        facet = Facet(name.split(",")[0])
        vectors = np.stack([one.vectors[facet] for one in heard])
        exact = name.endswith("exact key")
        similarity = np.stack(
            [scale.similarity(facet, one, vectors, exact_key=exact) for one in vectors]
        )
        print(f"| {name} | " + " | ".join(f"{x:.2f}" for x in _figures(similarity, rows)) + " |")
    chance = _instruments_map(
        np.random.default_rng(0).random((len(rows), len(rows)), dtype=np.float32), rows
    )
    print(f"\nchance: instruments MAP {chance:.2f}; {len({row['piece'] for row in rows})} pieces")
    _print_measures(heard, rows)


def _heard(path: Path) -> TrackFacets:
    heard = hear_facets(path)
    if heard is None:
        raise SystemExit(f"{path} is silent")
    return heard


def _figures(similarity: Float32, rows: list[Row]) -> list[float]:
    return [
        _other_instruments(similarity, rows, same_allowed=True),
        _other_instruments(similarity, rows, same_allowed=False),
        _variant(similarity, rows, "higher"),
        _variant(similarity, rows, "faster"),
        _instruments_map(similarity, rows),
    ]


def _plain(rows: list[Row]) -> list[int]:
    return [i for i, row in enumerate(rows) if row["variant"] == "plain"]


def _other_instruments(similarity: Float32, rows: list[Row], *, same_allowed: bool) -> float:
    hits = []
    for i in _plain(rows):
        others = [
            j
            for j in _plain(rows)
            if j != i and (same_allowed or rows[j]["instrumentation"] != rows[i]["instrumentation"])
        ]
        hits.append(rows[max(others, key=lambda j: similarity[i, j])]["piece"] == rows[i]["piece"])
    return float(np.mean(hits))


def _variant(similarity: Float32, rows: list[Row], variant: str) -> float:
    asking = [i for i, row in enumerate(rows) if row["variant"] == variant]
    found = [max(_plain(rows), key=lambda j: similarity[i, j]) for i in asking]
    return float(
        np.mean([rows[i]["piece"] == rows[j]["piece"] for i, j in zip(asking, found, strict=True)])
    )


def _instruments_map(similarity: Float32, rows: list[Row]) -> float:
    precisions = []
    for i in _plain(rows):
        others = [j for j in _plain(rows) if rows[j]["piece"] != rows[i]["piece"]]
        others.sort(key=lambda j: -similarity[i, j])
        right = np.array([rows[j]["instrumentation"] == rows[i]["instrumentation"] for j in others])
        at = np.cumsum(right) / np.arange(1, len(right) + 1)
        precisions.append(float(at[right].mean()))
    return float(np.mean(precisions))


def _print_measures(heard: list[TrackFacets], rows: list[Row]) -> None:
    exact: list[bool] = []
    octave: list[bool] = []
    keys: list[tuple[bool, float]] = []
    octaves = (1 / 3, 0.5, 1.0, 2.0, 3.0)
    for one, row in zip(heard, rows, strict=True):
        bpm = one.measures.tempo.bpm if one.measures.tempo else 0.0
        ratios = [bpm / (float(row["bpm"]) * o) for o in octaves]
        exact.append(abs(ratios[2] - 1) < 0.04)
        octave.append(any(abs(ratio - 1) < 0.04 for ratio in ratios))
        heard_key = one.measures.key
        confidence = heard_key.confidence if heard_key else 0.0
        own = (heard_key.tonic, heard_key.mode) if heard_key else None
        keys.append((own == key.parse(row["key"]), confidence))
    print(
        f"tempo within 4 %: {np.mean(exact):.2f}; or half, double, third, triple: {np.mean(octave):.2f}"
    )
    confident = [right for right, confidence in keys if confidence >= 0.5]
    print(
        f"key: {np.mean([right for right, _ in keys]):.2f}; where confidence is at least .5", end=""
    )
    print(f" ({len(confident)} of {len(keys)}): {np.mean(confident or [False]):.2f}")


if __name__ == "__main__":
    main()
