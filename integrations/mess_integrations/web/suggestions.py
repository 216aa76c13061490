"""What a person may mean while they type: tracks, artists, albums, and stretches of tracks."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from mess_integrations.http.answers import CARD_EXAMPLE
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.documents import card_document
from mess_plugin.folding import fold

_TIME = r"(?:(\d+):)?(\d{1,3}):(\d\d(?:\.\d+)?)"
_STRETCH = re.compile(rf"^(.*?)\s*{_TIME}\s*(?:-|–|to)\s*{_TIME}\s*$")
_NOTHING = {"resembling": False, "artists": [], "albums": []}
_LOOKED_AT = 200  # ids from the newest on, of which some may have been forgotten since
_MOST_TRACKS = 20  # that stand for an artist or an album in a question


class SuggestQuery(msgspec.Struct, frozen=True):
    """What was typed."""

    q: Annotated[str, msgspec.Meta(max_length=400)]
    """What was typed so far."""
    k: Annotated[int, msgspec.Meta(ge=1, le=50)] = 6
    """At most so many of a kind."""


def suggest(service: HttpService, call: Call) -> Reply:
    """Tracks first; a text that ends in "1:03-1:20" suggests that stretch of each.

    Nothing typed suggests what came into the library last.
    """
    query: SuggestQuery = call.query
    text, stretch = _split(query.q)
    if not fold(text):
        with service.stores.use() as store:
            newest = store.library.newest()
            ids = list(range(newest, max(0, newest - _LOOKED_AT), -1))
            new = store.library.get(ids)
        cards = [card_document(new[i]) for i in ids if i in new][: query.k]
        return Reply({**_NOTHING, "tracks": cards, "total": len(cards), "stretch": stretch})
    with service.stores.use() as store:
        found, total = store.library.find_words(text, query.k)
        resembling = not found
        if resembling:
            found = store.library.find_resembling(text, query.k)
        tracks = store.library.get(found)
        named = store.library.suggest_names(text, limit=4 * query.k, most_tracks=_MOST_TRACKS)
    asked = fold(text).split()

    def of_kind(kind: str) -> list[dict[str, object]]:
        fitting: list[dict[str, object]] = [
            {"name": name, "artist": artist, "tracks": count, "ids": ids}
            for this, name, artist, ids, count in named
            if this == kind and any(word in fold(name) for word in asked)
        ]
        return fitting[: query.k]

    return Reply(
        {
            "tracks": [card_document(tracks[i]) for i in found if i in tracks],
            "total": total,
            "resembling": resembling,
            "artists": of_kind("artist"),
            "albums": of_kind("album"),
            "stretch": stretch,
        }
    )


def _split(text: str) -> tuple[str, dict[str, float] | None]:
    """What was typed without the stretch at its end, and the stretch in seconds."""
    match = _STRETCH.match(text)
    if match is None:
        return text, None
    start_s, end_s = (
        int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        for hours, minutes, seconds in (match.group(2, 3, 4), match.group(5, 6, 7))
    )
    return (match[1], {"start_s": start_s, "end_s": end_s}) if start_s < end_s else (text, None)


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/suggest", "What a person may mean while they type", suggest, SuggestQuery,
        answers={
            200: "Tracks, artists and albums; resembling: only names that look alike.",
            400: "The question is wrong; `error` says why.",
            503: "The database does not answer.",
        },
        answer_example={
            "tracks": [CARD_EXAMPLE], "total": 1, "resembling": False, "albums": [],
            "artists": [{"name": "syncopika", "artist": None, "tracks": 3, "ids": [7, 8, 9]}],
            "stretch": {"start_s": 63.0, "end_s": 80.0},
        },
    ),
)  # fmt: skip
