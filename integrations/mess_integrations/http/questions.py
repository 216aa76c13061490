"""Questions with all the words of a query, in JSON (docs/query.md), and playlists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from mess_integrations.http.answers import CARD_EXAMPLE, PlaylistAnswer, SimilarAnswer
from mess_integrations.http.bodies import read_question
from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_integrations.web.kept_sounds import PREFIX
from mess_plugin.config import Settings
from mess_plugin.documents import playlist_document, search_document
from mess_plugin.model import Level
from mess_plugin.options import OPTIONS, Kind, Option
from mess_plugin.playlists.formats import m3u, xspf
from mess_plugin.playlists.generate import Playlist, alike, arc, journey, parse_curve
from mess_plugin.playlists.radio import Anchor, RadioStyle, first_of_radio
from mess_plugin.search import MAX_K, Query, Reference, parsing, search
from mess_plugin.search.references import confined, interval_of
from mess_plugin.store import Store

_MOST_REFS = 100


def _moment(description: str) -> msgspec.Meta:
    return msgspec.Meta(
        description=description, extra_json_schema={"pattern": f"^{parsing.MOMENT}$"}
    )


class _Asked(msgspec.Struct, frozen=True):
    """What a URL says beside the options of a query."""

    ref: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=4096,
            description="A path, a track id, or words that name one track.",
        ),
    ]
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K, description="How many answers.")] = 10
    offset: Annotated[int, msgspec.Meta(ge=0, description="How many better ones to leave out.")] = 0
    start: Annotated[str, _moment("Ask about a stretch: from, in seconds or as 1:12.")] | None = (
        None
    )
    end: Annotated[str, _moment("Ask about a stretch: to, in seconds or as 1:12.")] | None = None
    section: (
        Annotated[str, msgspec.Meta(description="Ask about the longest section with this letter.")]
        | None
    ) = None
    scope: Literal["song", "section"] | None = None
    """What answers: whole songs, or sections of them."""


def parameters(options: Sequence[Option] = OPTIONS) -> Iterator[tuple[str, Any, Any]]:
    """Options of a query as the fields of a struct, in the words of the command line."""
    kinds: Mapping[Kind, Any] = {
        Kind.FLAG: bool,
        Kind.INTEGER: int,
        Kind.NUMBER: float,
        Kind.CHOICE: Literal["hide", "show"],
    }
    for option in options:
        kind = kinds.get(option.kind, str)
        told = msgspec.Meta(description=option.help, examples=[option.example])
        yield option.key, Annotated[kind, told] | None, None


if TYPE_CHECKING:
    SimilarParameters = _Asked
else:
    SimilarParameters = msgspec.defstruct(
        "SimilarParameters", list(parameters()), bases=(_Asked,), module=__name__, frozen=True
    )


# Limits that the core checks, in the words of the command line, are only told here.
Refs = Annotated[list[str], msgspec.Meta(max_length=_MOST_REFS, extra_json_schema={"minItems": 1})]
Count = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})]
Answers = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": MAX_K})]
NotNegative = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})]
Moment = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{parsing.MOMENT}$"})]


class SimilarBody(msgspec.Struct, frozen=True):
    """A question about tracks, or about a stretch of one."""

    refs: Refs
    """Paths, track ids, or words that name one track each."""
    k: Answers = 10
    """How many answers."""
    offset: NotNegative = 0
    """How many better ones to leave out."""
    scope: Literal["song", "section"] | None = None
    """What answers: whole songs, or sections of them."""
    start: float | Moment | None = None
    """Ask about a stretch: from, in seconds or as "1:12"."""
    end: float | Moment | None = None
    """Ask about a stretch: to, in seconds or as "1:12"."""
    section: str | None = None
    """Ask about the longest section with this letter."""


class _ListBody(msgspec.Struct, frozen=True, kw_only=True):
    k: Count = 25
    """How many tracks."""
    n: Count | None = None
    """The old name of `k`."""
    seed: NotNegative = 0
    """The same library, question and seed give the same list."""

    @property
    def length(self) -> int:
        """How many tracks are asked for."""
        return self.k if self.n is None else self.n


class AlikeBody(_ListBody, frozen=True, kw_only=True):
    """A list of tracks like some others."""

    refs: Refs
    """What the list is to be like."""


class JourneyBody(_ListBody, frozen=True, kw_only=True):
    """A path from one track to another."""

    start: str
    """Where it begins."""
    end: str
    """Where it ends."""
    k: Count = 15
    """How many tracks, both ends included."""


class ArcBody(_ListBody, frozen=True, kw_only=True):
    """A list whose activity follows a curve."""

    curve: str | list[float]
    """rise, fall, peak, valley, wave, or points from 0 to 1."""
    like: Annotated[list[str], msgspec.Meta(max_length=_MOST_REFS)] = []
    """Only tracks like these."""
    k: Count = 20
    """How many tracks."""


class RadioBody(_ListBody, frozen=True, kw_only=True):
    """The next tracks of a list without end."""

    refs: Refs
    """Where it starts."""
    played: Annotated[list[int], msgspec.Meta(max_length=10_000)] = []
    """Ids of what came already, in order: it goes on after them."""
    seed: NotNegative | None = None  # type: ignore[assignment]
    """The same list again; without it another list each day."""
    strictness: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """1 plays the nearest track, 0 draws from the 40 nearest."""
    anchor: Anchor = "seed"
    """Stays near the references, or follows the track before."""


class PlaylistFormat(msgspec.Struct, frozen=True):
    """How a list is written."""

    format: Literal["json", "m3u8", "xspf"] = "json"
    """JSON, or a file for players."""


def get_similar(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --json` for one reference."""
    asked: SimilarParameters = call.query
    body = SimilarBody(
        [asked.ref], asked.k, asked.offset, asked.scope, asked.start, asked.end, asked.section
    )
    words = {option.key: getattr(asked, option.key) for option in OPTIONS}
    return _similar(service, body, parsing.query(words, remote=True))


def post_similar(service: HttpService, call: Call) -> Reply:
    """The document of `mess similar --json`."""
    body, query = read_question(call.body, SimilarBody)
    return _similar(service, body, query)


def _similar(service: HttpService, body: SimilarBody, query: Query) -> Reply:
    interval = interval_of(_seconds("start", body.start), _seconds("end", body.end))
    with service.metrics.query_s.labels("similar").time(), service.stores.use() as store:
        inside = InsideLibrary(store, service)
        found = search(
            store,
            service.settings,
            inside.refs(body.refs),
            inside.query(query),
            k=body.k,
            offset=body.offset,
            scope=Level(body.scope) if body.scope else None,
            interval=interval,
            section=body.section,
        )
    return Reply(search_document(found))


def _seconds(name: str, said: str | float | None) -> float | None:
    return None if said is None else parsing.moment(name, said)


def make_alike(service: HttpService, call: Call) -> Reply:
    """Tracks like some others, in an order that flows."""
    body, query = read_question(call.body, AlikeBody)
    return _made(
        service,
        call,
        lambda store, settings, inside: alike(
            store,
            settings,
            inside.refs(body.refs),
            inside.query(query),
            n=body.length,
            seed=body.seed,
        ),
    )


def make_journey(service: HttpService, call: Call) -> Reply:
    """An even path from one track to another."""
    body, query = read_question(call.body, JourneyBody)
    return _made(
        service,
        call,
        lambda store, settings, inside: journey(
            store,
            settings,
            inside.ref(body.start),
            inside.ref(body.end),
            inside.query(query),
            n=body.length,
            seed=body.seed,
        ),
    )


def make_arc(service: HttpService, call: Call) -> Reply:
    """Tracks whose activity follows a curve."""
    body, query = read_question(call.body, ArcBody)
    curve = parse_curve(body.curve) if isinstance(body.curve, str) else tuple(body.curve)
    return _made(
        service,
        call,
        lambda store, settings, inside: arc(
            store,
            settings,
            curve,
            inside.query(query),
            refs=inside.refs(body.like),
            n=body.length,
            seed=body.seed,
        ),
    )


def make_radio(service: HttpService, call: Call) -> Reply:
    """The next tracks of a list without end."""
    body, query = read_question(call.body, RadioBody)
    return _made(
        service,
        call,
        lambda store, settings, inside: first_of_radio(
            store,
            settings,
            inside.refs(body.refs),
            inside.query(query),
            n=body.length,
            seed=body.seed,
            played=body.played,
            style=RadioStyle(body.strictness, body.anchor),
        ),
    )


class InsideLibrary:
    """References by which no file outside of the library's folders is opened."""

    def __init__(self, store: Store, service: HttpService) -> None:
        self._store, self._roots, self._sounds = store, service.roots, service.sounds

    def ref(self, ref: str) -> Reference:
        """One reference. Raises UsageError, and NotFound for a sound that is forgotten."""
        if ref.startswith(PREFIX):
            sound = self._sounds.find(ref)
            if sound is None:
                raise NotFound(
                    f"{ref} is forgotten: sounds are kept for half an hour; send it again"
                )
            return Reference(ref, str(sound.path))
        return confined(self._store, self._roots, ref)

    def refs(self, refs: Sequence[str]) -> list[Reference]:
        """Several references."""
        return [self.ref(ref) for ref in dict.fromkeys(refs)]  # each is resolved once

    def query(self, query: Query) -> Query:
        """A query whose own references are confined as well."""
        return replace(query, against=tuple(self.ref(str(ref)) for ref in query.against))


def _made(
    service: HttpService, call: Call, make: Callable[[Store, Settings, InsideLibrary], Playlist]
) -> Reply:
    form: PlaylistFormat = call.query
    with service.metrics.query_s.labels("playlist").time(), service.stores.use() as store:
        made = make(store, service.settings, InsideLibrary(store, service))
    if form.format == "m3u8":
        return Reply(text=m3u(made.tracks), media_type=_M3U)
    if form.format == "xspf":
        return Reply(text=xspf(made.tracks), media_type=_XSPF)
    return Reply(playlist_document(made))


_MATCHES = {
    "query": {
        "ref": "nebula", "path": "/music/nebula.ogg",
        "refs": ["nebula"], "paths": ["/music/nebula.ogg"], "not": [],
        "start_s": 0.0, "end_s": 93.1,
        "weights": {"feel": 0.333333, "rhythm": 0.666667}, "taste": None, "space": "mess-mini@1:…",
    },
    "matches": [{
        "rank": 1, "score": 0.612, "track": CARD_EXAMPLE,
        "query_section": {"start_s": 0.0, "end_s": 20.0},
        "match_section": {"start_s": 10.0, "end_s": 30.0},
        "likeness": 0.998, "confidence": None, "repeats": [],
        "reasons": [
            {"kind": "song", "value": 0.088, "likeness": 0.66, "text": "as wholes 0.66 × 0.13"},
            {"kind": "windows", "value": 0.047, "likeness": 0.70, "text": "part by part 0.70 × 0.07"},
            {"kind": "course", "value": 0.033, "likeness": 0.49, "text": "in their course 0.49 × 0.07"},
            {"kind": "timbre", "value": 0.008, "likeness": 0.60, "text": "timbre 0.60 × 0.01"},
            {"kind": "harmony", "value": 0.004, "likeness": 0.30, "text": "harmony 0.30 × 0.01"},
            {"kind": "rhythm", "value": 0.422, "likeness": 0.62, "text": "rhythm 0.62 × 0.68"},
            {"kind": "energy", "value": 0.007, "likeness": 0.50, "text": "energy 0.50 × 0.01"},
            {"kind": "structure", "value": 0.003, "likeness": 0.20, "text": "structure 0.20 × 0.01"},
        ],
    }],
    "page": {"offset": 0, "k": 1, "full": True},
    "never_suggested": 0,
}  # fmt: skip
_M3U, _XSPF = "application/vnd.apple.mpegurl", "application/xspf+xml"
_LIST = {"tracks": [CARD_EXAMPLE], "fits": [0.62], "smoothness": [], "notes": []}
WRONG = {
    400: "The question is wrong; `error` says why, in the words of the command line.",
    422: "A file that the question names cannot be heard.",
    503: "The database does not answer.",
}
_ALIKE = {"refs": ["nebula"], "k": 10, "seed": 1, "emphasis": {"rhythm": 2}, "per_artist": 2}


def _playlist(
    kind: str, summary: str, handler: Any, body: type[msgspec.Struct], example: Mapping[str, Any]
) -> Endpoint:
    return Endpoint(
        "POST", f"/v1/playlists/{kind}", summary, handler, PlaylistFormat, body=body, asks=True,
        example=example, answer=PlaylistAnswer, answer_example=_LIST,
        media=("application/json", _M3U, _XSPF),
        answers={200: "The list, as `mess playlist … --json` prints it, or as a file.", **WRONG},
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/similar", "What sounds like a track, a file or a section", get_similar,
        SimilarParameters, answer=SimilarAnswer, answer_example=_MATCHES,
        answers={200: "Matches, best first, as `mess similar --json` prints them.", **WRONG},
    ),
    Endpoint(
        "POST", "/v1/similar", "What sounds like some tracks, with all the words of a query",
        post_similar,
        body=SimilarBody, asks=True, answer=SimilarAnswer,
        answer_example=_MATCHES,
        example={
            "refs": ["nebula"], "k": 1, "emphasis": {"rhythm": 2},
            "filters": {"tempo_bpm": "90-110", "year": {"low": 1990, "high": None}},
        },
        answers={200: "Matches, best first, as `mess similar --json` prints them.", **WRONG},
    ),
    _playlist("alike", "A list of tracks like some others", make_alike, AlikeBody, _ALIKE),
    _playlist(
        "journey", "An even path from one track to another", make_journey, JourneyBody,
        {"start": "nebula", "end": "stage 3", "k": 10},
    ),
    _playlist(
        "arc", "A list whose activity follows a curve", make_arc, ArcBody,
        {"curve": "peak", "k": 10, "filters": {"duration_s": "2:00-5:00"}},
    ),
    _playlist(
        "radio", "The next tracks of a list without end", make_radio, RadioBody,
        {"refs": ["nebula"], "k": 3, "played": [7], "listener": "me"},
    ),
)  # fmt: skip
