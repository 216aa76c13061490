"""What strips and pictures are drawn from: sections with their repeats, measures, self-similarity."""

from __future__ import annotations

import base64
from typing import Annotated

import msgspec
import numpy as np

from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_integrations.web.sound import track_of
from mess_plugin.documents import measures_document
from mess_plugin.errors import UsageError
from mess_plugin.model import Level, LevelVectors
from mess_plugin.search.self_similarity import contrasted, form_of
from mess_plugin.spaces.active_encoder import active_recipe

_MOST = 200


class OutlinesQuery(msgspec.Struct, frozen=True):
    """Which tracks."""

    ids: str
    """Track ids with commas between them, at most 200."""


class PictureQuery(msgspec.Struct, frozen=True):
    """How fine the picture is."""

    steps: Annotated[int, msgspec.Meta(ge=2, le=600)] = 240
    """At most so many rows and columns."""


def outlines(service: HttpService, call: Call) -> Reply:
    """Sections and measures of several tracks; those that are not there are left out."""
    query: OutlinesQuery = call.query
    ids = _numbers(query.ids)
    with service.stores.use() as store:
        tracks = store.library.get(ids)
        measured = store.facets.measures(list(tracks))
        space = store.spaces.searchable(active_recipe(store, service.settings))
        found = (
            store.embeddings.of_tracks(space, Level.SECTION, list(tracks))
            if space is not None
            else {}
        )
    return Reply(
        {
            "outlines": [
                {
                    "id": track.id,
                    "duration_s": round(track.duration_s, 3),
                    "sections": _sections(found[track.id]) if track.id in found else [],
                    "heard": measures_document(measured[track.id][0])
                    if track.id in measured
                    else None,
                }
                for track in (tracks[i] for i in ids if i in tracks)
            ]
        }
    )


def self_similarity(service: HttpService, call: Call) -> Reply:
    """How alike any two moments of a track are, stretched over 0 to 255."""
    query: PictureQuery = call.query
    with service.stores.use() as store:
        track = track_of(store, call)
        form = form_of(store, service.settings, f"mess:{track.id}")
    picture = form.similarity
    if len(picture) > query.steps:
        places = np.arange(query.steps) * len(picture) // query.steps
        picture = picture[np.ix_(places, places)]
    shades = np.round(contrasted(picture) * 255).astype(np.uint8)
    return Reply(
        {
            "n": len(shades),
            "duration_s": round(track.duration_s, 3),
            "rows": base64.b64encode(shades.tobytes()).decode(),
        }
    )


def _sections(found: LevelVectors) -> list[dict[str, object]]:
    """In order of time; repeats: places of the other sections with the same letter."""
    labels = found.labels or ("",) * len(found.intervals)
    return [
        {
            "start_s": round(start_s, 3),
            "end_s": round(end_s, 3),
            "label": label,
            "repeats": [
                place
                for place, other in enumerate(labels)
                if other == label and label and place != own
            ],
        }
        for own, ((start_s, end_s), label) in enumerate(
            zip(found.intervals.tolist(), labels, strict=True)
        )
    ]


def _numbers(text: str) -> list[int]:
    parts = [part for part in text.split(",") if part]
    if len(parts) > _MOST:
        raise UsageError(f"{len(parts)} ids are asked for: wanted at most {_MOST}")
    for part in parts:
        if not (part.isascii() and part.isdigit() and len(part) < 19):
            raise UsageError(f"track id {part!r}: wanted a number")
    return list(dict.fromkeys(map(int, parts)))


_WRONG = {400: "The question is wrong; `error` says why.", 503: "The database does not answer."}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/outlines", "Sections, with their repeats, and measures of several tracks",
        outlines, OutlinesQuery, answers={200: "The tracks that are there.", **_WRONG},
        answer_example={"outlines": [{
            "id": 7, "duration_s": 93.1, "heard": {"activity": 0.55},
            "sections": [{"start_s": 0.0, "end_s": 20.0, "label": "A", "repeats": [2]}],
        }]},
    ),
    Endpoint(
        "GET", "/v1/tracks/{id}/self-similarity", "How alike the moments of a track are",
        self_similarity, PictureQuery,
        answers={200: "n × n bytes, row by row, in base64.", 404: "There is no such track.", **_WRONG},
        answer_example={"n": 2, "duration_s": 93.1, "rows": "/wAA/w=="},
    ),
)  # fmt: skip
