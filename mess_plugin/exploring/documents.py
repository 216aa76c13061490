"""The JSON forms of clusters and of the map: one for the command line and for HTTP."""

from __future__ import annotations

from mess_plugin.exploring.clusters import Clusters
from mess_plugin.exploring.feature_matrix import FeatureMatrix
from mess_plugin.model import Float32


def clusters_document(
    features: FeatureMatrix, found: Clusters, n_examples: int
) -> dict[str, object]:
    """What `mess clusters --json` prints."""

    def card(place: int) -> dict[str, object]:
        one = features.facts[place]
        return {
            "id": one.track_id,
            "path": one.path,
            "title": one.title,
            "artist": one.artist,
            "likeness": round(float(found.likeness[place]), 6),
        }

    return {
        "tracks": len(features.facts),
        "clusters": [
            {
                "number": number,
                "name": one.name,
                "size": len(one.members),
                "tightness": round(one.tightness, 6),
                "examples": [card(place) for place in one.members[:n_examples]],
            }
            for number, one in enumerate(found.clusters, start=1)
        ],
        "outliers": [card(place) for place in found.outliers],
    }


def map_document(features: FeatureMatrix, found: Clusters, points: Float32) -> dict[str, object]:
    """What `mess map --json` prints: x and y in [0, 1], y upwards."""
    return {
        "clusters": [one.name for one in found.clusters],
        "tracks": [
            {
                "id": one.track_id,
                "path": one.path,
                "title": one.title,
                "artist": one.artist,
                "x": round(x, 6),
                "y": round(y, 6),
                "cluster": group + 1,
            }
            for one, (x, y), group in zip(
                features.facts, points.tolist(), found.of_track.tolist(), strict=True
            )
        ],
    }
