"""What answers look like, for the description: the documents of `mess_plugin.documents` as types.

Nothing is made from these at run time; tests hold every answer against them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Time = Annotated[str, msgspec.Meta(description="ISO 8601, with a time zone.")]


class HealthAnswer(msgspec.Struct):
    """The process answers."""

    ok: bool
    home: str
    """A random name of the home that the service serves: the content of MESS_HOME/id."""


class Readiness(msgspec.Struct):
    """Whether the servers behind the service answer."""

    ok: bool
    checks: dict[str, str]
    """`ok`, or what is wrong, by server; `background` only where a background service keeps failing."""


class TrackCard(msgspec.Struct):
    """What every answer says of a track."""

    id: int
    path: str | None
    """One place where it lies; null where it lies nowhere now."""
    title: str | None
    artist: str | None
    album: str | None
    duration_s: Seconds


class Tempo(msgspec.Struct):
    """A tempo as it was heard."""

    bpm: float
    confidence: float
    """0 to 1."""
    sure: bool
    """Whether it is more than a guess, and counts in filters, reasons and playlists."""


class HeardKey(msgspec.Struct):
    """A key as it was heard."""

    name: str
    confidence: float
    """0 to 1."""
    sure: bool
    """Whether it is more than a guess, and counts in filters, reasons and playlists."""


class LoudnessAnswer(msgspec.Struct):
    """EBU R128."""

    integrated_lufs: float
    range_lu: float


class HeardAnswer(msgspec.Struct):
    """What was heard in a track. Attributes lie between 0 and 1."""

    tempo: Tempo | None
    key: HeardKey | None
    loudness: LoudnessAnswer
    activity: float | None
    brightness: float | None
    drive: float | None
    moods: list[str]


class TagsDocument(msgspec.Struct):
    """What a head reads of a track (docs/tags.md)."""

    heard: list[str]
    """Those that are said, the likeliest first."""
    probable: dict[str, float]
    """How probable each tag is, 0 to 1."""


class FullTrack(TrackCard):
    """One track with its tags, locations, and what was heard."""

    album_artist: str | None
    genre: str | None
    year: int | None
    track_number: int | None
    bpm: float | None
    key: str | None
    musicbrainz_recording: str | None
    musicbrainz_release: str | None
    language: str | None
    rating: float | None
    """Stars, 0 to 5."""
    paths: list[str]
    heard: HeardAnswer | None
    """null where it was indexed before facets were heard."""
    tags: TagsDocument | None
    """null where no head has read them."""


class TracksAnswer(msgspec.Struct):
    """A page of tracks, by artist, album and number."""

    total: int
    """How many there are with these words and filters."""
    offset: int
    tracks: list[FullTrack]


class LyricsLine(msgspec.Struct):
    """A line that holds words that were asked for."""

    start_s: float | None
    """When it is sung; null where the lyrics have no times."""
    text: str
    found: list[list[int]]
    """Where these words begin and end in the text, in characters."""


class LyricsTrack(TrackCard):
    """A track whose lyrics match."""

    rank: float
    """How well, the more the better; it means nothing beyond this answer."""
    lyrics_language: str | None
    """ISO 639-1, such as "en"; null where it is not clear."""
    lines: list[LyricsLine]


class LyricsAnswer(msgspec.Struct):
    """Tracks whose lyrics match, the best first."""

    total: int
    """How many match."""
    with_lyrics: int
    """How many tracks of the library have lyrics."""
    tracks: list[LyricsTrack]


class DescribedCard(TrackCard):
    """A track as an answer to a description."""

    similarity: float
    """Cosine of text and sound, -1 to 1."""


class DescribedAnswer(msgspec.Struct):
    """The tracks that fit a description best."""

    text: str
    compared: int
    """With how many tracks the description was compared."""
    never_suggested: int
    """How many were left out for it."""
    tracks: list[DescribedCard]


class Stretch(msgspec.Struct):
    """A part of a recording."""

    start_s: Seconds
    end_s: Seconds


class ReasonDocument(msgspec.Struct):
    """A number from the computation of a match, and the same in words."""

    kind: str
    value: float
    likeness: float | None
    """Of a part of the score: how alike the two are in it. Of tempo and key: 1 where they go together,
    else 0. Null for other reasons."""
    text: str


class MatchDocument(msgspec.Struct):
    """An answer to a question."""

    rank: Annotated[int, msgspec.Meta(ge=1)]
    score: float
    """0 to 1."""
    track: TrackCard
    query_section: Stretch | None
    match_section: Stretch | None
    """The pair of stretches that are most alike."""
    likeness: float | None
    """The share of random pairs of this library that are less alike; null where it is too small."""
    confidence: float | None
    """Of a section: how probable it is that the match lies in the very recording asked about."""
    repeats: list[Stretch]
    reasons: list[ReasonDocument]
    """Those of the score add up to it."""


class TasteUsed(msgspec.Struct):
    """Whose taste counted, and whether it did."""

    listener: str
    state: str


class QuestionDocument(msgspec.Struct):
    """How the question was understood."""

    ref: str
    path: str | None
    refs: list[str]
    paths: list[str | None]
    not_: list[str] = msgspec.field(name="not")
    start_s: float | None
    end_s: float | None
    weights: dict[str, float]
    taste: TasteUsed | None
    space: str
    """Of which encoder, in which revision, the vectors are that were compared."""


class PageDocument(msgspec.Struct):
    """Which part of the ranking this is. full: another page may follow."""

    offset: int
    k: int
    full: bool


class SimilarAnswer(msgspec.Struct):
    """Matches, best first."""

    query: QuestionDocument
    matches: list[MatchDocument]
    page: PageDocument
    never_suggested: int
    """How many tracks could not answer, because they are never suggested."""


class GroupsQuestion(msgspec.Struct):
    """How a question about albums or artists was understood."""

    by: Literal["album", "artist"]
    names: list[str]
    """What was asked about."""
    weights: dict[str, float]


class ClosestTrack(msgspec.Struct):
    """The best track of an album or artist."""

    score: float
    track: TrackCard


class GroupDocument(msgspec.Struct):
    """An album or an artist as an answer."""

    rank: Annotated[int, msgspec.Meta(ge=1)]
    score: float
    """The mean over its tracks, 0 to 1."""
    name: str
    artist: str | None
    """Of an album."""
    tracks: list[TrackCard]
    closest: ClosestTrack


class GroupsAnswer(msgspec.Struct):
    """Albums or artists, best first, and how many were ranked."""

    query: GroupsQuestion
    matches: list[GroupDocument]
    page: PageDocument
    total: int


class PlaylistAnswer(msgspec.Struct):
    """A playlist in order."""

    tracks: list[TrackCard]
    fits: list[float]
    """How well each track fits what was asked for, 0 to 1."""
    smoothness: list[float]
    """How smoothly each track leads to the next, 0 to 1."""
    notes: list[str]


class Named(msgspec.Struct):
    """A track by its id."""

    id: int
    path: str | None


class VerdictNoted(msgspec.Struct):
    """A verdict that was noted, with the ids of both tracks."""

    listener: str
    verdict: str
    track: int
    for_: int = msgspec.field(name="for")


class VerdictDocument(msgspec.Struct):
    """What a listener said of a track as an answer to another one."""

    verdict: str
    track: Named
    for_: Named = msgspec.field(name="for")
    noted_at: Time


class VerdictsAnswer(msgspec.Struct):
    """A page of verdicts, and how many there are."""

    total: int
    verdicts: list[VerdictDocument]


class LeaningDocument(msgspec.Struct):
    """A direction in timbre that adds to the score or takes away."""

    facet: str
    share: float
    toward: int | None
    away: int | None
    direction: list[float]


class TasteAnswer(msgspec.Struct):
    """Which aspects count for a listener, and whether that is used."""

    listener: str
    on: bool
    state: str
    verdicts: int
    sources: dict[str, int]
    pairs: int
    seeds: int
    weights: dict[str, float]
    leaning: LeaningDocument | None


class Forgotten(msgspec.Struct):
    """How many verdicts are forgotten."""

    forgotten: int


class AccountDocument(msgspec.Struct):
    """An account of a player, how much it reported, and whose it is."""

    source: str
    account: str
    n_acts: int
    listener: str | None


class AccountsAnswer(msgspec.Struct):
    """All accounts that reported something."""

    accounts: list[AccountDocument]


class Joined(msgspec.Struct):
    """An account that counts for a listener."""

    account: str
    listener: str


class ClusterTrack(msgspec.Struct):
    """A track of a group. likeness: to the middle of its group."""

    id: int
    path: str | None
    title: str | None
    artist: str | None
    likeness: float


class ClusterDocument(msgspec.Struct):
    """A group of tracks that feel alike."""

    number: int
    name: str
    size: int
    tightness: float
    examples: list[ClusterTrack]


class ClustersAnswer(msgspec.Struct):
    """The groups, and what stands apart."""

    tracks: int
    clusters: list[ClusterDocument]
    outliers: list[ClusterTrack]


class MapTrack(msgspec.Struct):
    """A place on the map, x and y in 0 to 1, y upwards. cluster: counted from 1."""

    id: int
    path: str | None
    title: str | None
    artist: str | None
    x: float
    y: float
    cluster: int


class MapAnswer(msgspec.Struct):
    """Names of the groups, and a place for each track."""

    clusters: list[str]
    tracks: list[MapTrack]


class StatusAnswer(msgspec.Struct):
    """What the library holds and what is being done."""

    home: str
    library: dict[str, float]
    recipe: str
    """How files are heard now: encoder, layers, window and hop."""
    switch: dict[str, Any] | None
    """How far the switch to another encoder is."""
    jobs: dict[str, dict[str, int]]
    """By recipe and state."""
    failures: dict[str, int]
    pace: dict[str, Any]
    workers: list[dict[str, Any]]
    roots: list[dict[str, Any]]
    events: list[dict[str, Any]]
    last: list[dict[str, Any]]
    spaces: list[dict[str, Any]]


class Accepted(msgspec.Struct):
    """How many messages were kept. ignored: a kind that means nothing here; known: it came before."""

    accepted: int
    ignored: str | msgspec.UnsetType = msgspec.UNSET
    known: bool | msgspec.UnsetType = msgspec.UNSET


class SmartPlaylistDocument(msgspec.Struct):
    """A declared smart playlist and what became of it, beside the words of its rule."""

    id: int
    name: str
    user: str | None
    """null where the user is not linked any more."""
    playlist: str | None
    """Its id in Jellyfin, once it is there."""
    tracks: int
    refreshed_at: Time | None
    created_at: Time
    changed_at: Time


class SmartPlaylistsAnswer(msgspec.Struct):
    """A page of declarations, oldest first, and how many there are."""

    total: int
    smart_playlists: list[SmartPlaylistDocument]


class NeverRuleDocument(msgspec.Struct):
    """A rule of what is never suggested."""

    id: int
    listener: str | None
    """Whose rule it is; null: everybody's."""
    words: dict[str, Any]
    """The filter, in the words of the command line."""
    says: str
    """The same in a line for people."""
    except_months: list[int]
    """Months, 1 to 12, in which it does not hold."""


class NeverAnswer(msgspec.Struct):
    """All rules."""

    rules: list[NeverRuleDocument]


class NeverAdded(msgspec.Struct):
    """A rule that holds from now on."""

    id: int
    tracks: int
    """How many tracks are never suggested by it now."""


CARD_EXAMPLE = {
    "id": 7, "path": "/music/stage 3.ogg", "title": "Stage 3", "artist": "syncopika", "album": None,
    "duration_s": 93.1,
}  # fmt: skip
"""A track as answers name it."""
