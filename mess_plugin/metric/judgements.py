"""Reads judgements of similarity, and turns them into comparisons of pairs.

The file holds one judgement a line, columns separated by tabs:

    path<TAB>path<TAB>similar      or dissimilar (also 1 and 0, + and -); the third may be left out
    anchor<TAB>nearer<TAB>farther  the first is more like the second than the third

A pair without a third column is similar. Without dissimilar pairs, random tracks of the library take
their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.errors import UsageError

MAX_COMPARISONS = 4000
_PER_PAIR = 5  # dissimilar pairs that each similar one is compared with
_ALIKE = {"similar": True, "1": True, "+": True, "dissimilar": False, "0": False, "-": False}

Ints = npt.NDArray[np.int64]


class Judgements(msgspec.Struct, frozen=True):
    """What a file says about tracks, by their ids."""

    similar: tuple[tuple[int, int], ...]
    dissimilar: tuple[tuple[int, int], ...]
    triplets: tuple[tuple[int, int, int], ...]
    """(anchor, nearer, farther)."""


class Comparisons(msgspec.Struct, frozen=True):
    """Pairs that should be more similar than other pairs, row by row."""

    nearer: Ints
    """(n, 2) track ids, or rows of a matrix of vectors."""
    farther: Ints
    """(n, 2), each less similar than the pair in the same row of `nearer`."""


def read(file: Path, find: Callable[[str], int]) -> Judgements:
    """The judgements of a file. Raises UsageError for a line that cannot be understood.

    find: a reference (path, id or words) → a track id, raising UsageError.
    """
    similar, dissimilar, triplets = [], [], []
    for where, cells in _rows(file):
        try:
            marked = len(cells) == 3 and cells[2].lower() in _ALIKE
            ids = [find(cell) for cell in (cells[:2] if marked else cells)]
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
        if len(set(ids)) != len(ids):
            raise UsageError(f"{where}: a track is compared with itself")
        if len(ids) == 3:
            triplets.append((ids[0], ids[1], ids[2]))
        elif len(cells) == 2 or _ALIKE[cells[2].lower()]:
            similar.append((ids[0], ids[1]))
        else:
            dissimilar.append((ids[0], ids[1]))
    both = {frozenset(pair) for pair in similar} & {frozenset(pair) for pair in dissimilar}
    if both:
        one, other = sorted(next(iter(both)))
        raise UsageError(f"{file}: tracks {one} and {other} are called similar and dissimilar")
    if not similar and not triplets:
        raise UsageError(f"{file} says of nothing that it is similar: that is what can be learned")
    return Judgements(tuple(similar), tuple(dissimilar), tuple(triplets))


def compared(
    judgements: Judgements, library: Sequence[int], *, seed: int = 0
) -> tuple[Comparisons, bool]:
    """All comparisons, at most MAX_COMPARISONS, and whether the library stood in for dissimilar.

    Each similar pair is compared with dissimilar pairs that share a track with it, or else with
    pairs of one of its tracks and others that nobody called similar to it.
    """
    rng = np.random.default_rng(seed)
    nearer = [(anchor, near) for anchor, near, _ in judgements.triplets]
    farther = [(anchor, far) for anchor, _, far in judgements.triplets]
    rejected = _neighbours(judgements.dissimilar)
    liked = _neighbours(judgements.similar)
    drawn = False
    for pair in judgements.similar:
        for anchor in pair:
            others = sorted(rejected.get(anchor, set()))
            if not others and not judgements.dissimilar:
                known = liked[anchor] | {anchor}
                others = [i for i in rng.permutation(np.array(library)).tolist() if i not in known]
                drawn = True
            for other in others[:_PER_PAIR]:
                nearer.append((anchor, pair[1] if anchor == pair[0] else pair[0]))
                farther.append((anchor, other))
    found = Comparisons(_pairs(nearer), _pairs(farther))
    if len(nearer) > MAX_COMPARISONS:
        kept = np.sort(rng.choice(len(nearer), MAX_COMPARISONS, replace=False))
        found = Comparisons(found.nearer[kept], found.farther[kept])
    return found, drawn


def _neighbours(pairs: Sequence[tuple[int, int]]) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


def _pairs(pairs: Sequence[tuple[int, int]]) -> Ints:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _rows(file: Path) -> list[tuple[str, list[str]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text") from error
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) not in (2, 3) or not all(cells):
            raise UsageError(
                f"{file}:{number}: {line!r} is neither path<TAB>path[<TAB>similar|dissimilar] "
                "nor anchor<TAB>nearer<TAB>farther"
            )
        rows.append((f"{file}:{number}", cells))
    if not rows:
        raise UsageError(f"{file} holds no judgements")
    return rows
