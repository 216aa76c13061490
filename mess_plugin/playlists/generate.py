"""Generates playlists: similar tracks, a journey from A to B, an arc of activity.

The same library, question and seed give the same list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Float32, Space, Track
from mess_plugin.options import HIDE
from mess_plugin.playlists.paths import Songs, beam, great_circle, layer_for
from mess_plugin.playlists.transitions import ordered, transitions
from mess_plugin.search.candidates import load_candidates, query_features
from mess_plugin.search.diversity import linked
from mess_plugin.search.engine import answering_space, search
from mess_plugin.search.filters import allowed_ids
from mess_plugin.search.never import never_suggested
from mess_plugin.search.query import FEEL, MAX_K, Query
from mess_plugin.search.references import Ref
from mess_plugin.store import Store

Floats = npt.NDArray[np.float64]
MAX_TRACKS = 500
CURVES = {
    "rise": (0.0, 1.0),
    "fall": (1.0, 0.0),
    "peak": (0.0, 1.0, 0.0),
    "valley": (1.0, 0.0, 1.0),
    "wave": (0.2, 0.8, 0.2, 0.8, 0.2),
}
_POOL = 3  # times as many tracks as wanted compete for the places of `alike`
_ANCHORS = 12  # places of a journey that look for candidates, for themselves and their neighbours
_GAP = 0.25  # a step that falls this short of the typical one is named


class Playlist(msgspec.Struct, frozen=True):
    """Tracks in order."""

    tracks: tuple[Track, ...]
    fits: tuple[float, ...]
    """How well each track suits its place, in [0, 1]."""
    smoothness: tuple[float, ...]
    """Of each transition between two tracks, in [0, 1]."""
    notes: tuple[str, ...] = ()
    """What a listener should know, such as a step too large for the library."""


def alike(
    store: Store,
    settings: Settings,
    refs: Sequence[Ref],
    query: Query,
    *,
    n: int = 25,
    seed: int = 0,
) -> Playlist:
    """N tracks like the references, drawn from the best 3 n in favour of the better, put in order."""
    check(n, seed)
    answer = search(store, settings, refs, query, k=min(MAX_K, _POOL * n))
    matches = list(answer.matches)
    if not matches:
        raise UsageError("no track answers this: loosen a filter")
    scores = np.array([match.score for match in matches])
    rng = np.random.default_rng(seed)
    # Gumbel noise on the logarithms draws without replacement in proportion to the scores' powers.
    keyed = 4 * np.log(np.maximum(scores, 1e-9)) + rng.gumbel(size=len(scores)) * 0.5
    chosen = sorted(np.argsort(-keyed, kind="stable")[:n].tolist())
    ids = [matches[place].track.id for place in chosen]
    between = transitions(store, answer.space, ids)
    order = ordered(between.smoothness)
    return Playlist(
        tuple(matches[chosen[place]].track for place in order),
        tuple(matches[chosen[place]].score for place in order),
        tuple(between.along(order)),
    )


def journey(
    store: Store,
    settings: Settings,
    start: Ref,
    end: Ref,
    query: Query,
    *,
    n: int = 15,
    seed: int = 0,
) -> Playlist:
    """An even path from one track to another, both included: n tracks.

    Each place has a target on the great circle between the two song vectors. A beam search chooses
    for all places at once, without repetition, what fits the targets and leads on smoothly. A step
    that nothing bridges is named in the notes.
    """
    check(n, seed, least=3)
    query.heeded_by("a journey", "duplicates")
    space = answering_space(store, settings)
    first, last = (query_features(store, settings, space, ref, (FEEL,)) for ref in (start, end))
    if first.seed.track is None or last.seed.track is None:
        raise UsageError("a journey goes between two tracks of the library: index both first")
    if first.seed.track.id == last.seed.track.id:
        raise UsageError("a journey needs two different tracks")
    targets = great_circle(first.vectors[FEEL], last.vectors[FEEL], n)
    ends = [first.seed.track.id, last.seed.track.id]
    songs = Songs(store, settings, space, allowed_ids(store, query.filters, first))
    inner = targets[1:-1]
    anchors = np.linspace(0, len(inner) - 1, min(len(inner), _ANCHORS)).round().astype(int)
    limit = layer_for(len(anchors))
    barred = [*ends, *never_suggested(store, query.listener)]
    near = [songs.nearest(inner[place], barred, limit) for place in anchors]
    layers = [near[int(np.argmin(np.abs(anchors - place)))] for place in range(len(inner))]
    # Of several copies the one that is nearest to a place stays.
    nearest_first = dict.fromkeys(i for row in zip_longest(*near) for i in row if i is not None)
    kept = _without_copies(store, query, ends, list(nearest_first))
    ids = [i for i in dict.fromkeys(i for layer in layers for i in layer) if i in kept]
    if len(ids) < n - 2:
        raise UsageError(
            f"only {len(ids)} tracks lie between the two: ask for at most {len(ids) + 2}"
        )
    known = load_candidates(store, space, [ends[0], *ids, ends[1]], (FEEL,))
    fits = np.clip(targets @ known.vectors[FEEL].T, 0, 1)
    fits[0], fits[-1] = 0, 0
    fits[0, 0] = fits[-1, -1] = 1
    places = beam(
        store, space, known.track_ids, fits, _allowed_places(fits, known.track_ids, layers), seed
    )
    found = _playlist(store, space, known.track_ids, fits, places)
    return Playlist(
        found.tracks, found.fits, found.smoothness, tuple(_gaps(known.vectors[FEEL][places], found))
    )


def arc(
    store: Store,
    settings: Settings,
    curve: Sequence[float],
    query: Query,
    *,
    refs: Sequence[Ref] = (),
    n: int = 20,
    seed: int = 0,
) -> Playlist:
    """N tracks whose activity follows a curve over the list.

    curve: points in [0, 1], evenly spread, straight lines between them; 0 is the calmest of the
    tracks in question, 1 the most driving. refs: only the tracks most like these are in question.
    """
    check(n, seed)
    if not refs:
        query.heeded_by("an arc that is not like some REF", "duplicates")
    if not curve or not all(0 <= point <= 1 for point in curve):
        points = ",".join(f"{point:g}" for point in curve)
        raise UsageError(f"the curve is {points!r}: wanted points from 0 to 1, such as 0.2,0.9,0.4")
    space = answering_space(store, settings)
    ids, activity = _in_question(store, settings, space, query, refs, n)
    if len(ids) < n:
        raise UsageError(f"only {len(ids)} tracks are in question: ask for at most {len(ids)}")
    ranks = np.argsort(np.argsort(activity, kind="stable")) / max(len(ids) - 1, 1)
    targets = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(curve)), curve)
    rng = np.random.default_rng(seed)
    layer = min(len(ids), layer_for(n))
    near = [_near_ranks(target, ranks, rng, layer) for target in targets]
    kept = np.unique(near)
    fits = (1 - np.abs(targets[:, None] - ranks[kept])).astype(np.float32)
    allowed = [np.searchsorted(kept, row).tolist() for row in near]
    track_ids = [ids[place] for place in kept]
    places = beam(store, space, track_ids, fits, allowed, seed)
    return _playlist(store, space, track_ids, fits, places)


def parse_curve(text: str) -> tuple[float, ...]:
    """A named curve, or points such as "0.2,0.9,0.4". Raises UsageError."""
    if text in CURVES:
        return CURVES[text]
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"curve {text!r}: wanted {', '.join(CURVES)} or points such as 0.2,0.9,0.4"
        ) from error


def check(n: int, seed: int, least: int = 1) -> None:
    """Raise UsageError for a number of tracks or a seed that cannot be."""
    if not least <= n <= MAX_TRACKS:
        raise UsageError(f"{n} tracks are asked for: wanted {least} to {MAX_TRACKS}")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {seed}: wanted a whole number from 0")


def _allowed_places(
    fits: Float32, track_ids: Sequence[int], layers: Sequence[Sequence[int]]
) -> list[list[int]]:
    """For each place of a journey the columns that may stand there."""
    column = {track_id: place for place, track_id in enumerate(track_ids)}
    inner = [[column[i] for i in layer if i in column] for layer in layers]
    return [[0], *inner, [fits.shape[1] - 1]]


def _near_ranks(
    target: float, ranks: Floats, rng: np.random.Generator, layer: int
) -> npt.NDArray[np.int64]:
    """Places of the `layer` ranks that lie nearest to a target, give or take a little chance.

    One target after another: all at once would be as many numbers as tracks times places.
    """
    away = np.abs(target - ranks) + rng.uniform(0, 0.02, len(ranks))
    return np.argpartition(away, layer - 1)[:layer]


def _without_copies(
    store: Store, query: Query, ends: Sequence[int], track_ids: Sequence[int]
) -> set[int]:
    """The tracks, given best first, without those that are linked to an end or to a better one."""
    return set(track_ids) - (linked(store, ends, track_ids) if query.duplicates == HIDE else set())


def _playlist(
    store: Store, space: Space, track_ids: Sequence[int], fits: Float32, places: Sequence[int]
) -> Playlist:
    tracks = store.library.get([track_ids[place] for place in places])
    places = [place for place in places if track_ids[place] in tracks]  # forgotten meanwhile
    chosen = [track_ids[place] for place in places]
    between = transitions(store, space, chosen)
    return Playlist(
        tuple(tracks[i] for i in chosen),
        tuple(float(fits[row, place]) for row, place in enumerate(places)),
        tuple(between.along(range(len(chosen)))),
    )


def _gaps(vectors: Float32, found: Playlist) -> Iterator[str]:
    """Steps much longer than the typical one: nothing in the library lies there."""
    cosines = (vectors[:-1] * vectors[1:]).sum(axis=1)
    typical = float(np.median(cosines))
    for place in np.flatnonzero(cosines < typical - _GAP):
        one, other = found.tracks[place], found.tracks[place + 1]
        yield (
            f"nothing in the library bridges step {place + 1}: from {one.describe()} to "
            f"{other.describe()} (likeness {cosines[place]:.2f}, typical {typical:.2f})"
        )


def _in_question(
    store: Store, settings: Settings, space: Space, query: Query, refs: Sequence[Ref], n: int
) -> tuple[list[int], Float32]:
    ids, activity = store.filters.activities(space)
    if refs:
        wanted = {
            m.track.id for m in search(store, settings, refs, query, k=min(MAX_K, 10 * n)).matches
        }
    else:
        passed = allowed_ids(store, query.filters, None)
        wanted = set(ids if passed is None else passed)
        wanted -= set(never_suggested(store, query.listener))
        # Hardly any track of a large library is linked, and only those are looked at closely.
        linked = sorted(wanted & store.duplicates.linked())
        wanted -= set(linked) - _without_copies(store, query, (), linked)
    kept = [place for place, track_id in enumerate(ids) if track_id in wanted]
    return [ids[place] for place in kept], activity[kept]
