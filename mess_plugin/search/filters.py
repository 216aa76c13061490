"""Filters → the tracks that may answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from msgspec.structs import replace

from mess_plugin.errors import UsageError
from mess_plugin.facets import Measures
from mess_plugin.facets import key as keys
from mess_plugin.facets.values import SAME_TEMPO
from mess_plugin.heads.tags import ensure_tags
from mess_plugin.library.languages import names_of
from mess_plugin.model import Tags
from mess_plugin.options import FILTERS, LIMITS, Kind
from mess_plugin.search.candidates import QueryFeatures
from mess_plugin.search.query import ATTRIBUTES, Filters, Range
from mess_plugin.store import Store
from mess_plugin.store.filters import Allowed

_WIDE = 1e9
_NOT = "not-"


def allowed_ids(store: Store, filters: Filters, first: QueryFeatures | None) -> list[int] | None:
    """The tracks that pass; None where nothing is filtered. Raises UsageError where none passes.

    first: whose tempo and key "same" means; None where there is no such track.
    """
    if not filters.any:
        return None
    passed = passing(store, filters, first)
    if not passed:
        raise UsageError(f"no track passes the filters: {_blame(store, filters, first)}")
    return passed


def passing(store: Store, filters: Filters, first: QueryFeatures | None) -> list[int]:
    """The tracks that pass filters, none where none does."""
    if filters.tags or filters.excluded_tags:
        _read_tags(store)
    if first is None and (filters.same_tempo or filters.same_key):
        raise UsageError("'same' tempo or key needs a track to be the same as: give a reference")
    tempo = filters.tempo_bpm
    if filters.same_tempo and first is not None:
        bpm = tempo_of(first.seed.track.tags if first.seed.track else Tags(), first.measures)
        if bpm is None:
            raise UsageError(
                f"{first.seed.name} has no tempo that is sure: give one, such as --tempo 90-110"
            )
        tempo = Range(bpm / SAME_TEMPO, bpm * SAME_TEMPO)
    conditions: dict[str, object] = {}
    for option in FILTERS:
        value = getattr(filters, option.target)
        if option.target in ATTRIBUTES:
            value = filters.attribute(option.target)
        elif option.kind is Kind.TEMPO:
            value = tempo
        if value:
            conditions[option.target] = _limits(value) if option.kind in LIMITS else value
    conditions |= _languages(store, filters, first)
    return _in_key(store.filters.allowed(conditions), filters, first)


def _languages(
    store: Store, filters: Filters, first: QueryFeatures | None
) -> dict[str, tuple[str, ...]]:
    """Conditions on languages, each by all of its names; "same" is that of the first's lyrics."""
    wanted: list[str] = []
    unwanted: list[str] = []
    for name in filters.languages:
        if name == "same":
            wanted += names_of(_language_of(store, first))
        elif name.startswith(_NOT):
            unwanted += names_of(name.removeprefix(_NOT))
        else:
            wanted += names_of(name)
    return {"languages": tuple(wanted), "not_languages": tuple(unwanted)}


def _language_of(store: Store, first: QueryFeatures | None) -> str:
    track = first.seed.track if first else None
    if first is None or track is None:
        raise UsageError("'same' language needs a track of the library: give a reference")
    lyrics = store.lyrics.of_tracks([track.id]).get(track.id)
    if lyrics is None or lyrics.language is None:
        raise UsageError(
            f"{first.seed.name} has no lyrics in a language that is sure: name one, such as "
            "--language en"
        )
    return lyrics.language


def _read_tags(store: Store) -> None:
    """Let all tracks have their tags. Raises UsageError where no encoder's vectors tell any."""
    told = [ensure_tags(store, space) for space in store.spaces.active()]
    if told and not any(told):
        raise UsageError(
            "tags are not known for the encoder in use yet: index with mess-mini first, from whose "
            "tags they are learned"
        )


def _blame(store: Store, filters: Filters, first: QueryFeatures | None) -> str:
    """Which filters leave nothing: one alone, two that exclude each other, or all together."""
    plain = Filters()
    single = {
        name: replace(plain, **{name: getattr(filters, name)})
        for name in filters.__struct_fields__
        if getattr(filters, name) != getattr(plain, name)
    }
    passed = {name: set(passing(store, one, first)) for name, one in single.items()}
    for name, ids in passed.items():
        if not ids:
            return f"{describe(single[name])}; loosen it"
    for (one, ids), (other, others) in combinations(passed.items(), 2):
        if ids.isdisjoint(others):
            pair = f"{describe(single[one])} and {describe(single[other])}"
            return f"{pair} exclude each other; loosen one of them"
    return f"{describe(filters)}; loosen one of them"


def tempo_of(tags: Tags, measures: Measures | None) -> float | None:
    """Beats per minute: the tag, else what was heard for sure."""
    if tags.bpm:
        return tags.bpm
    return measures.sure_tempo_bpm if measures else None


def key_of(tags: Tags, measures: Measures | None) -> tuple[int, str] | None:
    """(tonic, mode): the tag where it can be read, else what was heard for sure."""
    tagged = keys.parse(tags.key) if tags.key else None
    if tagged:
        return tagged
    return measures.sure_key if measures else None


def describe(filters: Filters) -> str:
    """The conditions in words, for messages."""
    parts = []
    for name in filters.__struct_fields__:
        value = getattr(filters, name)
        if isinstance(value, Range):
            low = "" if value.low is None else f"{value.low:g}"
            high = "" if value.high is None else f"{value.high:g}"
            parts.append(f"{name} {low}-{high}")
        elif value is True:
            parts.append(name.replace("_", " "))
        elif name == "key" and value:
            parts.append(f"key {keys.name(*value)}")
        elif isinstance(value, tuple) and value:
            parts.append(f"{name.replace('_', ' ')} {', '.join(map(str, value))!r}")
        elif value:
            parts.append(f"{name.replace('_', ' ')} {value!r}")
    return ", ".join(parts)


def _in_key(passed: Sequence[Allowed], filters: Filters, first: QueryFeatures | None) -> list[int]:
    wanted = filters.key
    if filters.same_key and first is not None:
        wanted = key_of(first.seed.track.tags if first.seed.track else Tags(), first.measures)
        if wanted is None:
            raise UsageError(
                f"{first.seed.name} has no key that is sure: give one, such as --key Am"
            )
    if wanted is None:
        return [one.track_id for one in passed]
    kept = []
    for one in passed:
        own = (keys.parse(one.tagged_key) if one.tagged_key else None) or one.heard_key
        if own and (keys.compatible(own, wanted) if filters.same_key else own == wanted):
            kept.append(one.track_id)
    return kept


def _limits(limits: Range) -> tuple[float, float]:
    return (
        -_WIDE if limits.low is None else limits.low,
        _WIDE if limits.high is None else limits.high,
    )
