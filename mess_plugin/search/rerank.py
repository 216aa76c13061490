"""The closer look at candidates: what two recordings sound like part by part, and how they move.

A song's one vector is the mean of all that happens in it: a slow build-up and a song of the same
average are alike to it. Two more views are added, both from the stored windows (or, where these are
made for another purpose, from the sections):

windows   late interaction (O. Khattab and M. Zaharia, "ColBERT", SIGIR 2020): each window of one
          recording looks for its most similar window in the other, both ways. The worse way counts:
          a recording that only contains the other is not the same music.
course    the same between the *deviations* of the windows from their recording's mean: not what the
          music is like, but which turns it takes, such as from calm to driving. The mean of both
          ways counts.

Beside the views a little of each facet may count, which hears what the encoder may not; it is compared
by `mess_plugin.facets.scale`. The score of a pair depends on these two recordings alone, so adding a
third changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets import Facet
from mess_plugin.model import Float32, Level, LevelVectors, Space

SONG, WINDOWS, COURSE = VIEWS = ("song", "windows", "course")
MAX_WINDOWS = 240  # of a recording; longer ones are thinned evenly: hours cost no more than minutes
_NO_TURN = 0.01  # a part that deviates less than this, of unit length, differs by rounding only


class ViewWeights(msgspec.Struct, frozen=True):
    """How much each view counts beside the song vectors, which count 1.

    parts: the level whose vectors are laid against each other. facets: how much each facet counts,
    which does not come from the encoder (`mess_plugin.facets`).
    """

    windows: float = 0.5
    course: float = 1.0
    parts: Level = Level.WINDOW
    facets: float = 0.0

    @property
    def shares(self) -> Mapping[str, float]:
        """View or facet → what it makes up of the score, adding up to 1; none that does not count."""
        counts = {SONG: 1.0, WINDOWS: self.windows, COURSE: self.course}
        counts |= dict.fromkeys((facet.value for facet in Facet), self.facets)
        total = sum(counts.values())
        return {view: weight / total for view, weight in counts.items() if weight}

    @property
    def views(self) -> Float32:
        """(3,) what each of VIEWS makes up of all of them together."""
        counts = np.array([1.0, self.windows, self.course], dtype=np.float32)
        return np.asarray(counts / counts.sum())


WEIGHTS = ViewWeights()
"""For windows that are projected like songs. Cross-validated: docs/measurements/rerank.md."""
SECTION_WEIGHTS = ViewWeights(0.5, 0.5, Level.SECTION, facets=0.1)
"""For spaces whose windows are not projected like songs, but whose sections are: mess-mini's."""
SONG_ALONE = ViewWeights(0.0, 0.0)


def weights_of(space: Space) -> ViewWeights:
    """The weights that were found to help in a space.

    Parts can only speak of songs where they are projected like songs, as by the maps that are fitted
    on a library. A projection that comes with an encoder aims its windows at finding places instead,
    and its sections at comparing music; a metric on top of such a one names it behind an @.
    """
    shipped = (space.base_id is None and space.projection != "none") or "@" in space.projection
    return SECTION_WEIGHTS if shipped else WEIGHTS


class Profile(msgspec.Struct, frozen=True):
    """A recording for comparison.

    song: (dim,); windows: (n, dim); turns: (n, dim), the deviations of the windows from their mean.
    All of unit length; n may be 0.
    """

    song: Float32
    windows: Float32
    turns: Float32


class Likeness(msgspec.Struct, frozen=True):
    """How alike two recordings are: each view, and all together. Cosines, at most 1."""

    song: float
    windows: float
    course: float
    score: float


def profile(song: Float32, windows: LevelVectors) -> Profile:
    """The profile of a recording from its song vector, (dim,), and its windows or sections."""
    vectors = windows.vectors
    if len(vectors) > MAX_WINDOWS:
        vectors = vectors[np.linspace(0, len(vectors) - 1, MAX_WINDOWS).round().astype(np.int64)]
    if len(vectors) < 2:
        return Profile(song, vectors, vectors[:0])
    deviations = vectors - vectors.mean(axis=0)
    turns = deviations[np.linalg.norm(deviations, axis=1) > _NO_TURN]
    return Profile(song, vectors, unit(turns))


class Side:
    """The recordings on one side of a comparison, their parts stacked: all are compared at once."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        """profiles: one or more, in the order of the answers."""
        self._songs = np.stack([one.song for one in profiles])
        self._windows = _Stack([one.windows for one in profiles])
        self._turns = _Stack([one.turns for one in profiles])

    def views(self, other: Profile) -> npt.NDArray[np.float64]:
        """How alike each is to one other recording: (n, 3), a column for each of VIEWS.

        A view that one of the two does not offer (no windows, or a single one that takes no turns)
        repeats the song's.
        """
        song = (self._songs @ other.song).astype(np.float64)
        windows = self._windows.both_ways(other.windows, song).min(axis=0)
        course = self._turns.both_ways(other.turns, song).mean(axis=0)
        return np.stack([song, windows, course], axis=1)


def compare(one: Profile, other: Profile, weights: ViewWeights = WEIGHTS) -> Likeness:
    """All views of a pair; the score is their weighted mean. `Side.views` says what stands in."""
    views = Side([one]).views(other)[0]
    song, windows, course = views.tolist()
    return Likeness(song, windows, course, float(views @ weights.views))


class _Stack:
    """Rows of several recordings below each other."""

    def __init__(self, parts: Sequence[Float32]) -> None:
        lengths = np.array([len(rows) for rows in parts])
        self._rows = np.concatenate(parts)
        self._there = lengths > 0
        self._lengths = lengths[self._there]
        self._starts = (np.cumsum(lengths) - lengths)[self._there]

    def both_ways(
        self, other: Float32, otherwise: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Mean over the rows of each side of the cosine to the most similar row of the other side.

        other: (m, dim). otherwise: (n,), where one side has no rows. Returns (2, n): the way there and
        the way back.
        """
        found = np.stack([otherwise, otherwise])
        if len(other) and len(self._starts):
            cosines = self._rows @ other.T
            there = np.add.reduceat(cosines.max(axis=1), self._starts) / self._lengths
            found[0, self._there] = there
            found[1, self._there] = np.maximum.reduceat(cosines, self._starts).mean(axis=1)
        return found
