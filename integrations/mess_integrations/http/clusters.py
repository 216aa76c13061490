"""What kinds of music the library holds, and where each track lies on its map."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from mess_integrations.http.answers import ClustersAnswer, MapAnswer
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.exploring.clusters import cluster
from mess_plugin.exploring.documents import clusters_document, map_document
from mess_plugin.exploring.feature_matrix import read_features
from mess_plugin.exploring.layout import lay_out

Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class ClustersQuery(msgspec.Struct, frozen=True):
    """How to group."""

    k: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many groups; by default from the size of the library."""
    seed: Seed = 0
    """The same library, k and seed give the same groups."""
    examples: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    """How many tracks to show of each group."""
    outliers: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    """How many tracks to show that stand apart."""


class MapQuery(msgspec.Struct, frozen=True):
    """How to draw the map."""

    k: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many groups; by default from the size of the library."""
    seed: Seed = 0
    """The same library, k and seed give the same map."""
    layout: Literal["pca", "tsne"] = "pca"
    """Principal components, or t-SNE where openTSNE is installed."""


def clusters(service: HttpService, call: Call) -> Reply:
    """The document of `mess clusters --json`."""
    query: ClustersQuery = call.query
    with service.metrics.query_s.labels("clusters").time(), service.stores.use() as store:
        features = read_features(store, service.settings)
        found = cluster(features, query.k, seed=query.seed, n_outliers=query.outliers)
    return Reply(clusters_document(features, found, query.examples))


def library_map(service: HttpService, call: Call) -> Reply:
    """The document of `mess map --json`."""
    query: MapQuery = call.query
    with service.metrics.query_s.labels("map").time(), service.stores.use() as store:
        features = read_features(store, service.settings)
        found = cluster(features, query.k, seed=query.seed)
        points = lay_out(features.vectors, query.layout, seed=query.seed)
    return Reply(map_document(features, found, points))


_WRONG = {400: "The question is wrong; `error` says why.", 503: "The database does not answer."}
_CARD = {"id": 7, "path": "/music/stage 3.ogg", "title": "Stage 3", "artist": "syncopika"}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/clusters", "Groups of tracks that feel alike, and what stands apart", clusters,
        ClustersQuery, answers={200: "As `mess clusters --json` prints them.", **_WRONG},
        answer=ClustersAnswer,
        answer_example={
            "tracks": 443,
            "clusters": [{
                "number": 1, "name": "chiptune, driving, fast", "size": 41, "tightness": 0.6,
                "examples": [{**_CARD, "likeness": 0.8}],
            }],
            "outliers": [{**_CARD, "likeness": 0.1}],
        },
    ),
    Endpoint(
        "GET", "/v1/map", "The library in two dimensions", library_map, MapQuery,
        answers={200: "As `mess map --json` prints it.", **_WRONG},
        answer=MapAnswer,
        answer_example={
            "clusters": ["chiptune, driving, fast"],
            "tracks": [{**_CARD, "x": 0.4, "y": 0.7, "cluster": 1}],
        },
    ),
)  # fmt: skip
