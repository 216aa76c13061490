"""What a listener asks for beside the seeds. docs/query.md describes every word of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
from msgspec.structs import replace

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.folding import fold
from mess_plugin.options import ASPECTS, FILTERS, HIDE, LIMITS, MOODS, OPTIONS, SHOW, Kind
from mess_plugin.search.references import Reference

FEEL = "feel"

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType({FEEL: 1.0})
"""What counts when nothing is said: see the table of facets in docs/measurements/facets.md."""

MAX_K = 1000  # answers to one question
MAX_WEIGHT = 100.0
MAX_DAYS = 36_500
MAX_NAME = 200  # letters of a listener's name
ATTRIBUTES = ("activity", "brightness", "drive")


class Range(msgspec.Struct, frozen=True):
    """From low to high, both included; None is open."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if any(number is not None and math.isnan(number) for number in (self.low, self.high)):
            raise UsageError("a range has an end that is no number: give a number or leave it open")

    def __contains__(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def _check_tags(said: Sequence[str]) -> None:
    """Raise UnknownName for a tag that no head can tell."""
    if not said:
        return
    from mess_plugin.heads.tags import tag_head  # noqa: PLC0415  few questions name a tag

    labels = tag_head().labels
    known = {fold(label) for label in labels}
    for tag in said:
        if fold(tag) not in known:
            raise UnknownName("tag", tag, labels)


class _FilterRules(msgspec.Struct, frozen=True):
    """What any filters must be like."""

    def __post_init__(self) -> None:
        for name in (option.target for option in FILTERS if option.kind in LIMITS):
            limits: Range | None = getattr(self, name)
            if limits and None not in (limits.low, limits.high) and limits.low > limits.high:  # type: ignore[operator]
                raise UsageError(
                    f"{name} from {limits.low:g} to {limits.high:g} holds nothing: "
                    "swap the two numbers"
                )
        for mood in self._moods:
            if mood not in MOODS:
                raise UnknownName("mood", mood, MOODS)
        for name in ATTRIBUTES:
            self.attribute(name)
        _check_tags((*getattr(self, "tags"), *getattr(self, "excluded_tags")))  # noqa: B009
        for option in FILTERS:
            value = getattr(self, option.target)
            if (
                option.kind in (Kind.TEMPO, Kind.KEY)
                and value
                and getattr(self, f"same_{option.name}")
            ):
                raise UsageError(
                    f"a {option.name} and the seed's {option.name} are both asked for: leave one out"
                )
            if option.kind is Kind.AGE and value is not None and not 0 < value <= MAX_DAYS:
                raise UsageError(
                    f"{option.name} is {value:g} days: wanted more than 0, at most {MAX_DAYS}"
                )

    def attribute(self, name: str) -> Range | None:
        """The range of an attribute that its own filter and the moods leave; None for all of it.

        Raises UsageError where they leave nothing.
        """
        asked: list[tuple[float | None, float | None]] = [
            MOODS[mood][1:] for mood in self._moods if MOODS[mood][0] == name
        ]
        if (own := getattr(self, name)) is not None:
            asked.append((own.low, own.high))
        if not asked:
            return None
        low = max((one for one, _ in asked if one is not None), default=None)
        high = min((one for _, one in asked if one is not None), default=None)
        if None not in (low, high) and low > high:  # type: ignore[operator]
            words = [*self._moods, *([name] if own is not None else [])]
            raise UsageError(f"{' and '.join(words)} exclude each other: leave one out")
        return Range(low, high)

    @property
    def any(self) -> bool:
        """Whether there is any condition."""
        return self != Filters()

    @property
    def _moods(self) -> tuple[str, ...]:
        moods: tuple[str, ...] = getattr(self, "moods")  # noqa: B009  a row of the table
        return moods


_KINDS: Mapping[Kind, tuple[Any, Any]] = {
    **dict.fromkeys(LIMITS, (Range | None, None)),
    Kind.KEY: (tuple[int, str] | None, None),
    Kind.TEXT: (str | None, None),
    Kind.FOLDER: (str | None, None),
    Kind.TEXTS: (tuple[str, ...], ()),
    Kind.NAMES: (tuple[str, ...], ()),
    Kind.AGE: (float | None, None),
}
"""Kind of a filter → the type of its field and the value that sets no condition."""


def _filter_fields() -> Iterator[tuple[str, Any, Any]]:
    for option in FILTERS:
        kind, default = _KINDS[option.kind]
        yield option.target, Annotated[kind, msgspec.Meta(description=option.help)], default
        if option.kind in (Kind.TEMPO, Kind.KEY):
            yield f"same_{option.name}", bool, False


if TYPE_CHECKING:

    class Filters(_FilterRules, frozen=True):
        """What a track must be to answer: a field for each filter of `mess_plugin.options`."""

        def __init__(self, **values: object) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

else:
    Filters = msgspec.defstruct(
        "Filters",
        list(_filter_fields()),
        bases=(_FilterRules,),
        namespace={"__doc__": "What a track must be to answer: see `mess_plugin.options`."},
        module=__name__,
        frozen=True,
    )


class Query(msgspec.Struct, frozen=True):
    """How answers are chosen among all tracks.

    emphasis: aspect → how much it counts beside the feel, which counts 1. only: these aspects alone
    count, 1 each unless emphasised. exact_key: harmony as it sounds instead of at the best
    transposition. against: references that answers should be unlike. diversity: 0 is by score alone,
    1 as varied as can be. per_artist, per_album: at most so many of one. listener: whose taste
    counts. blend: "plays" or a file of scores → the share of the score that it makes up, together
    less than 1 (`blending.py`). duplicates: "hide" leaves out what is linked to a seed or to a better
    answer, "show" does not (`mess_plugin.duplicates`). Raises UnknownName and
    UsageError for what cannot be.
    """

    emphasis: Mapping[str, float] = msgspec.field(default_factory=dict)
    only: tuple[str, ...] = ()
    filters: Filters = Filters()
    exact_key: bool = False
    against: tuple[str | Reference, ...] = ()
    diversity: float = 0.0
    per_artist: int | None = None
    per_album: int | None = None
    listener: str | None = None
    blend: Mapping[str, float] = msgspec.field(default_factory=dict)
    duplicates: str = HIDE

    def __post_init__(self) -> None:
        for aspect in (*self.emphasis, *self.only):
            if aspect not in ASPECTS:
                raise UnknownName("facet", aspect, ASPECTS)
        for aspect, weight in self.emphasis.items():
            if not 0 <= weight <= MAX_WEIGHT:
                raise UsageError(f"emphasis {aspect}={weight:g}: wanted 0 to {MAX_WEIGHT:g}")
            if self.only and aspect not in self.only:
                raise UsageError(
                    f"{aspect} is emphasised, but only {', '.join(self.only)} is to count"
                )
        _check_variety(self)
        if self.listener is not None:
            check_listener(self.listener)
        self.weights()

    def weights(self, defaults: Mapping[str, float] = DEFAULT_WEIGHTS) -> dict[str, float]:
        """Aspect → share of the score; positive, adding up to 1. Raises UsageError if all are 0.

        defaults: what counts for aspects that the query says nothing about.
        """
        base = dict.fromkeys(self.only, 1.0) if self.only else dict(defaults)
        merged = {**base, **self.emphasis}
        total = sum(merged.values())
        if total <= 0:
            raise UsageError("nothing counts: give at least one facet a weight above 0")
        return {aspect: weight / total for aspect, weight in merged.items() if weight > 0}

    @property
    def is_varied(self) -> bool:
        """Whether more than the scores decides which candidates answer."""
        return self.diversity > 0 or bool(self.per_artist or self.per_album)

    @property
    def steers(self) -> bool:
        """Whether this asks for anything but the plain feel; duplicates are hidden there as well."""
        return replace(self, duplicates=HIDE) != Query()

    def heeded_by(self, what: str, *heeded: str) -> Query:
        """This query, where it says nothing but filters and `heeded` fields.

        Raises UsageError, rather than ignoring it, for a word that `what` cannot heed.
        """
        for name in self._said_beside(heeded):
            raise UsageError(f"{what} does not heed {word(name)}: leave it out")
        return self

    def heeds(self, *heeded: str) -> bool:
        """Whether this says nothing but filters and `heeded` fields."""
        return not any(self._said_beside(heeded))

    def _said_beside(self, heeded: Sequence[str]) -> Iterator[str]:
        for name in self.__struct_fields__:
            said = getattr(self, name) != getattr(_PLAIN, name)
            if said and name not in {"filters", *heeded}:
                yield name


def _check_variety(query: Query) -> None:
    for source, share in query.blend.items():
        if not 0 < share < 1:
            raise UsageError(f"blend {source}={share:g}: wanted a share between 0 and 1")
    if sum(query.blend.values()) >= 1:
        raise UsageError("what is blended in leaves nothing for the likeness: lower the shares")
    if query.duplicates not in (HIDE, SHOW):
        raise UnknownName("way with duplicates", query.duplicates, (HIDE, SHOW))
    if not 0 <= query.diversity <= 1:
        raise UsageError(f"diversity is {query.diversity:g}: wanted 0 to 1")
    for name in ("per_artist", "per_album"):
        if (limit := getattr(query, name)) is not None and limit < 1:
            raise UsageError(f"{name.replace('_', ' ')} is {limit}: wanted at least 1")


_PLAIN = Query()


def word(name: str) -> str:
    """A field as the command line calls it."""
    return next(
        (option.name for option in OPTIONS if option.target == name), name.replace("_", "-")
    )


class Attributes(Protocol):
    """What moods are told by; None where it was not heard."""

    @property
    def activity(self) -> float | None:
        """How much happens, in [0, 1]."""

    @property
    def brightness(self) -> float | None:
        """How bright it sounds, in [0, 1]."""

    @property
    def drive(self) -> float | None:
        """How much it drives, in [0, 1]."""


def moods_of(measures: Attributes) -> tuple[str, ...]:
    """The words of MOODS that fit what was heard."""
    return tuple(
        mood
        for mood, (name, low, high) in MOODS.items()
        if (value := getattr(measures, name)) is not None and low <= value <= high
    )


def check_listener(name: str) -> None:
    """Raise UsageError where a listener cannot be called this."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"listener {name[:40]!r}: wanted a name of up to {MAX_NAME} letters")
