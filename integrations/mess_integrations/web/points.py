"""The map of the library as columns: what a picture of 100,000 tracks is drawn from."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.exploring.clusters import Clusters, cluster
from mess_plugin.exploring.feature_matrix import FeatureMatrix, read_features
from mess_plugin.exploring.layout import lay_out
from mess_plugin.facets import key as keys
from mess_plugin.model import Float32

_SCALE = 65_535


class PointsQuery(msgspec.Struct, frozen=True):
    """How to draw the map."""

    layout: Literal["pca", "tsne"] = "pca"
    """Principal components, or t-SNE where openTSNE is installed."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """The same library and seed give the same map."""


_turn = threading.Lock()
_last: tuple[object, bytes] = (None, b"")


def points(service: HttpService, call: Call) -> Reply:
    """All tracks with what they can be coloured by; computed anew when the library has changed."""
    global _last  # noqa: PLW0603  one map is enough: all pages show the same library
    query: PointsQuery = call.query
    with _turn, service.stores.use() as store:
        mark = (service.home_id, store.library.mark(), query.layout, query.seed)
        if _last[0] != mark:
            with service.metrics.query_s.labels("map").time():
                features = read_features(store, service.settings)
                found = cluster(features, seed=query.seed)
                places = lay_out(features.vectors, query.layout, seed=query.seed)
            _last = (mark, msgspec.json.encode(_columns(features, found, places)))
        data = _last[1]
    return Reply(text=data)


def _columns(features: FeatureMatrix, found: Clusters, places: Float32) -> dict[str, Any]:
    facts = features.facts
    albums, album_of = _numbered([one.album for one in facts])
    x, y = np.round(places.T * _SCALE).astype(int).tolist()
    return {
        "scale": _SCALE,
        "clusters": [one.name for one in found.clusters],
        "albums": albums,
        "id": [one.track_id for one in facts],
        "x": x,
        "y": y,
        "cluster": found.of_track.tolist(),
        "tempo": [None if one.tempo_bpm is None else round(one.tempo_bpm) for one in facts],
        "key": [
            None if one.tonic is None or one.mode is None else keys.name(one.tonic, one.mode)
            for one in facts
        ],
        "energy": [None if one.activity is None else round(100 * one.activity) for one in facts],
        "album": album_of,
    }


def _numbered(names: Sequence[str | None]) -> tuple[list[str], list[int | None]]:
    """The different names, and for each the place of its own."""
    known: dict[str, int] = {}
    places = [None if name is None else known.setdefault(name, len(known)) for name in names]
    return list(known), places


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/map/points", "The map of the library, as columns for a picture", points,
        PointsQuery,
        answers={
            200: "Columns of the same length; x and y from 0 to `scale`, y upwards.",
            400: "The question is wrong; `error` says why.", 503: "The database does not answer.",
        },
        answer_example={
            "scale": 65535, "clusters": ["driving, fast"], "albums": ["Nights"], "id": [7],
            "x": [812], "y": [60112], "cluster": [0], "tempo": [120], "key": ["A minor"],
            "energy": [55], "album": [0],
        },
    ),
)  # fmt: skip
