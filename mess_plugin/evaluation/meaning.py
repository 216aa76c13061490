"""What each figure of an evaluation says, and which value is a good one.

What is good is what mess-mini reaches on music that nothing was fitted to (docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.evaluation.transforms import TRANSFORMS

_RANKING = {
    "MAP": ("mean average precision: 1 if all right ones come first", ".3 and more"),
    "P@1": ("how often the nearest track is a right one", ".4 and more"),
    "P@5": ("the share of right ones among the five nearest", ".3; small albums cannot reach 1"),
    "nDCG@10": ("as MAP, of the ten nearest, earlier places counting more", ".4 and more"),
    "MRR": ("1 divided by the rank of the first right one", ".5 and more"),
}
_CHANGED = {
    "R@1": ("how often a changed file finds its original first", "1; below .9 worries"),
    "MRR": ("1 divided by the rank of the original", "1"),
}
_FIGURES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "album": _RANKING,
    "artist": _RANKING,
    "groups": _RANKING,
    "pairs": _RANKING,
    "triplets": {
        "agreement": ("how often the nearer of two is heard as nearer", ".7 and more; guessing .5")
    },
    "changed files": _CHANGED,
    "halves": {
        "R@1": ("how often half of a track finds its other half first", ".9 and more"),
        "MRR": ("1 divided by the rank of the other half", ".9 and more"),
    },
    "section": {
        "song": ("how often a noisy 10 s excerpt finds its track", ".95 and more"),
        "place": ("… and the place in it within 5 s; loops have several", ".8 and more"),
        "place or repeat": ("… or one that sounds the same, where that is known", ".9 and more"),
        "start error": ("seconds from the true start, where the place is right", "below .5"),
    },
    "index, songs": {"recall@*": ("what the index finds of an exact scan", ".95 and more")},
    "index, windows": {"recall@*": ("what the index finds of an exact scan", ".95 and more")},
}


def explained(results: Sequence[TaskResult]) -> list[tuple[str, str, str]]:
    """(figure, what it says, what is good) for each figure that was measured.

    All changes of files are one line. Figures of rankings say what guessing would reach.
    """
    rows: dict[str, tuple[str, str, str]] = {}
    for result in results:
        task = "changed files" if result.task in TRANSFORMS else result.task
        for measure in result.measures:
            name = "recall@*" if measure.startswith("recall@") else measure
            says, good = _FIGURES[task][name]
            if result.chance is not None and measure in ("MAP", "P@1", "P@5"):
                good += f"; guessing {result.chance:.2f}".replace("0.", ".")
            figure = f"{task} {measure}"
            rows.setdefault(figure, (figure, says, good))
    return list(rows.values())
