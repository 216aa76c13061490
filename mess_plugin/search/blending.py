"""Scores from elsewhere that count beside the likeness: plays, popularity, collaborative filtering.

Each kind of score is normalised to the share of the scored tracks that it exceeds or equals, so that
counts, stars and probabilities can be mixed: the highest is 1, a track without a score 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mess_plugin.errors import UsageError
from mess_plugin.store import Store

PLAYS = "plays"
"""How often each track was heard, by the players' reports: of the listener asked for, or of all."""
_HEARD_FROM = 0.3  # the share of a track that counts as a play


def read_blends(
    store: Store, blend: Mapping[str, float], listener: str | None
) -> dict[str, dict[int, float]]:
    """Source → track → score in (0, 1]. Raises UsageError for what cannot be read or knows no track."""
    return {
        source: normalised(
            _plays(store, listener) if source == PLAYS else _of_file(store, Path(source))
        )
        for source in blend
    }


def normalised(scores: Mapping[int, float]) -> dict[int, float]:
    """Scores → the share of them that each exceeds or equals, in (0, 1]."""
    ordered = np.sort(np.fromiter(scores.values(), dtype=np.float64, count=len(scores)))
    return {
        track_id: float(np.searchsorted(ordered, value, side="right")) / len(ordered)
        for track_id, value in scores.items()
    }


def _plays(store: Store, listener: str | None) -> dict[int, float]:
    plays = store.verdicts.plays(_HEARD_FROM) if listener is None else Counter(
        act.track_id
        for act in store.verdicts.acts(listener)
        if act.kind == "play" and (act.value is None or act.value >= _HEARD_FROM)
    )  # fmt: skip
    if not plays:
        whose = f"of {listener} " if listener else ""
        raise UsageError(f"no plays {whose}are known, so they cannot count: see docs/jellyfin.md")
    return {track_id: float(n) for track_id, n in plays.items()}


def _of_file(store: Store, file: Path) -> dict[int, float]:
    """Lines of path<TAB>score or id<TAB>score; paths that the library does not know are passed over."""
    rows: list[tuple[str, float]] = []
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"cannot read the scores in {file}: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        ref, _, score = line.rpartition("\t")
        try:
            value = float(score)
        except ValueError:
            value = math.nan
        if not ref or not math.isfinite(value):
            raise UsageError(f"{file}:{number}: {line!r} is not path<TAB>score")
        rows.append((ref.strip(), value))
    known = store.library.known([ref for ref, _ in rows])
    scores = {known[ref]: value for ref, value in rows if ref in known}
    if not scores:
        raise UsageError(f"{file} scores no track of the library: wanted path<TAB>score")
    return scores
