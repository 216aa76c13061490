"""The one door for questions: references and a query → matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.errors import NothingIndexed, UnknownName, UsageError
from mess_plugin.model import Interval, Level, Match, Space
from mess_plugin.search.blending import read_blends
from mess_plugin.search.candidates import QueryFeatures, features_of
from mess_plugin.search.filters import allowed_ids
from mess_plugin.search.never import never_suggested
from mess_plugin.search.query import FEEL, MAX_K, Query
from mess_plugin.search.ranking import Question
from mess_plugin.search.references import Recording, Ref, Reference
from mess_plugin.search.rerank import ViewWeights, weights_of
from mess_plugin.search.sections import HEEDED, answer_stretch, answer_with_sections
from mess_plugin.search.seeds import Seed, resolve
from mess_plugin.search.songs import answer_with_songs
from mess_plugin.search.taste import Taste, taste_of
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store

MAX_SEEDS = 100
EXCERPT_S = 60.0
"""A sound from outside the library that is shorter is taken for an excerpt of a track."""
_DEPTHS = (100, MAX_K)  # later pages are cut from rankings of these lengths, so that they agree


class SearchResult(msgspec.Struct, frozen=True):
    """The question as it was understood, and its answers."""

    seeds: tuple[QueryFeatures, ...]
    against: tuple[QueryFeatures, ...]
    space: Space
    interval: Interval | None
    """The stretch of the only seed that was asked about; None where whole songs were."""
    weights: Mapping[str, float]
    """Aspect → its share of the score; together 1."""
    matches: tuple[Match, ...]
    """Best first."""
    k: int = 0
    """How many matches were asked for."""
    offset: int = 0
    """How many better answers were left out before the first match."""
    taste: Taste | None = None
    """Of the listener whose taste was asked for."""
    n_never: int = 0
    """How many tracks were left out because they are never suggested (`mess never`)."""

    @property
    def is_full(self) -> bool:
        """Whether as many matches were found as were asked for, so that there may be more."""
        return len(self.matches) == self.k

    @property
    def name(self) -> str:
        """What was asked about, for people."""
        return ", ".join(one.seed.name for one in self.seeds)


def search(
    store: Store,
    settings: Settings,
    refs: Ref | Seed | Sequence[Ref | Seed],
    query: Query | None = None,
    *,
    k: int = 10,
    offset: int = 0,
    scope: Level | None = None,
    interval: Interval | None = None,
    section: str | None = None,
    space: Space | None = None,
    views: ViewWeights | None = None,
    explain: bool = True,
    heeds_never: bool = True,
) -> SearchResult:
    """The at most k tracks that answer a question best; never a seed, nor what it is asked against.

    refs: one to MAX_SEEDS paths, track ids, words that name one track each, sounds, or seeds at hand.
    A file that is not in the library is encoded on the fly and not stored; with `interval`, only that
    stretch of it is.
    query: what counts, and who may answer; None for the plain feel.
    offset: how many better answers to leave out.
    scope: compare songs as wholes, or find the most alike sections. None: sections where a stretch or
    a section is given, or the only reference is a sound from outside the library of less than
    EXCERPT_S (unless the query says what only songs heed); else songs.
    interval: ask about this stretch of the only reference. section: the same for the longest section
    with this label, such as "B". The answers are stretches then.
    space, views: search this space with these weights of the feel's views instead of the encoder's in
    use, as the evaluation does.
    explain: False leaves out the reasons, which take reading.
    heeds_never: False lets what is never suggested (`mess never`) answer as well: the evaluation judges
    the search and not a person's wishes.

    Scores are in [0, 1]: 1 is the same sound, 0 is unrelated. The score of a song is the sum of the
    values of its reasons, cut off at 0. Raises UsageError (and its kinds) where the question has no
    answer, AudioError where a file cannot be decoded, and StoreError.
    """
    query = query or Query()
    depth = _depth(offset, k)
    asked = _listed(refs)
    level = _level(scope, interval, section, asked)
    if level is Level.SECTION:
        query.heeded_by("a question about sections", *HEEDED)
    settings = resolve_settings(store, settings)
    while True:
        used = space or answering_space(store, settings)
        found = _answered(
            store, settings, used, asked, query, depth, level, interval, section, views, explain,
            heeds_never, may_be_excerpt=scope is None and space is None,
        )  # fmt: skip
        if found.matches or space is not None or used == answering_space(store, settings):
            break
        # A new projection replaced the space meanwhile, and the vectors of the old one went with it.
    matches = found.matches[offset : offset + k]
    return replace(found, matches=matches, k=k, offset=offset)


def answering_space(store: Store, settings: Settings) -> Space:
    """The space that answers. Raises NothingIndexed."""
    settings = resolve_settings(store, settings)
    space = store.spaces.searchable(str(Recipe.of(settings)))
    if space is None:
        raise NothingIndexed(settings.encoder)
    return space


def labelled(seed: Seed, label: str) -> Interval:
    """The longest section with a label, such as "B". Raises UnknownName where there is none."""
    sections = seed.levels[Level.SECTION]
    rows = [row for row, name in enumerate(sections.labels) if name == label.upper()]
    if not rows:
        raise UnknownName(f"section of {seed.name}", label, set(sections.labels))
    found = [Interval(*sections.intervals[row].tolist()) for row in rows]
    return max(found, key=lambda interval: interval.duration_s)


def _answered(
    store: Store,
    settings: Settings,
    space: Space,
    asked: Sequence[Ref | Seed],
    query: Query,
    k: int,
    level: Level,
    interval: Interval | None,
    section: str | None,
    views: ViewWeights | None,
    explain: bool,
    heeds_never: bool,
    *,
    may_be_excerpt: bool,
) -> SearchResult:
    taste = taste_of(store, space, query.listener) if query.listener else None
    weights = query.weights(taste.weights) if taste and taste.is_on else query.weights()
    found = [
        ref if isinstance(ref, Seed) else resolve(store, settings, space, ref, interval)
        for ref in asked
    ]
    if section is not None:
        interval = labelled(found[0], section)
    elif may_be_excerpt and interval is None and _is_excerpt(found) and query.heeds(*HEEDED):
        interval = Interval(0.0, found[0].duration_s)
    if interval is not None:
        interval = _inside(interval, found[0])
    # What counts of a stretch is heard from its sound; of a song it must have been heard already.
    counted = (FEEL,) if interval is not None else tuple(weights)
    seeds = tuple(features_of(store, seed, counted) for seed in found)
    against = tuple(
        features_of(store, resolve(store, settings, space, ref), counted) for ref in query.against
    )
    never = never_suggested(store, query.listener) if heeds_never else []
    question = Question(
        seeds,
        weights,
        views or weights_of(space),
        against,
        exact_key=query.exact_key,
        excluded=sorted({*_excluded(seeds, against), *never}),
        allowed=allowed_ids(store, query.filters, seeds[0]),
        leaning=taste.leaning if taste and taste.is_on and not query.only else None,
        external=read_blends(store, query.blend, query.listener),
        shares=query.blend,
    )
    if interval is not None:
        matches = answer_stretch(store, settings, space, question, query, interval, k)
    elif level is Level.SECTION:
        matches = answer_with_sections(store, settings, space, question, query, k)
    else:
        matches = answer_with_songs(store, settings, space, question, query, k, explain=explain)
    return SearchResult(
        seeds, against, space, interval, weights, matches, taste=taste, n_never=len(never)
    )


def _listed(refs: Ref | Seed | Sequence[Ref | Seed]) -> list[Ref | Seed]:
    """The references, each once. Raises UsageError for none or too many."""
    if isinstance(refs, str | Reference | Recording | Seed):
        return [refs]
    texts: set[str] = set()
    unique: list[Ref | Seed] = []
    for ref in refs:
        text = ref if isinstance(ref, str) else ref.target if isinstance(ref, Reference) else None
        if text is None or text not in texts:
            unique.append(ref)
        if text is not None:
            texts.add(text)
    if not 1 <= len(unique) <= MAX_SEEDS:
        raise UsageError(f"there are {len(unique)} seeds: wanted 1 to {MAX_SEEDS}")
    return unique


def _level(
    scope: Level | None,
    interval: Interval | None,
    section: str | None,
    asked: Sequence[Ref | Seed],
) -> Level:
    """What answers. Raises UsageError for words that exclude each other."""
    about_stretch = interval is not None or section is not None
    if scope is Level.WINDOW:
        raise UsageError("scope is 'window': wanted 'song' or 'section'")
    if section is not None and interval is not None:
        raise UsageError("a section and a start or end exclude each other: leave one out")
    if about_stretch and scope is Level.SONG:
        raise UsageError("scope song and a section exclude each other: leave one out")
    if (about_stretch or scope is Level.SECTION) and len(asked) != 1:
        raise UsageError("sections are asked about with one reference")
    return Level.SECTION if about_stretch else scope or Level.SONG


def _depth(offset: int, k: int) -> int:
    """How many answers a page of k after `offset` others is cut from.

    All pages after the first come from a ranking of 100 or of MAX_K answers.
    """
    if offset < 0:
        raise UsageError(f"offset is {offset}: wanted 0 or more")
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}: wanted 1 to {MAX_K}")
    if offset + k > MAX_K:
        raise UsageError(f"offset and k reach to {offset + k}: wanted at most {MAX_K} together")
    return k if not offset else next(most for most in _DEPTHS if most >= offset + k)


def _inside(interval: Interval, seed: Seed) -> Interval:
    """The asked stretch, cut off at the end of the seed. Raises UsageError where there is none."""
    start_s, end_s = interval.start_s, interval.end_s
    if start_s >= seed.duration_s:
        raise UsageError(
            f"the section starts at {start_s:g} s, but {seed.name} is {seed.duration_s:.1f} s long"
        )
    asked = Interval(start_s, min(end_s, seed.duration_s))
    heard = seed.levels[Level.WINDOW].intervals
    if not ((heard[:, 0] < asked.end_s) & (heard[:, 1] > asked.start_s)).any():
        raise UsageError(f"{seed.name} is silent from {start_s:g} s to {asked.end_s:g} s")
    return asked


def _is_excerpt(seeds: Sequence[Seed]) -> bool:
    return len(seeds) == 1 and seeds[0].track is None and seeds[0].duration_s < EXCERPT_S


def _excluded(seeds: Sequence[QueryFeatures], against: Sequence[QueryFeatures]) -> list[int]:
    liked = {i for one in seeds for i in one.seed.excluded}
    rejected = {i for one in against for i in one.seed.excluded}
    if both := liked & rejected:
        raise UsageError(f"track {min(both)} is asked for and against: leave one out")
    return sorted(liked | rejected)
