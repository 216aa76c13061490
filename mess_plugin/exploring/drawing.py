"""The map as a picture: a dot a track, coloured by group, with the groups' names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mess_plugin.atomic_file import replacing
from mess_plugin.exploring.clusters import Clusters
from mess_plugin.model import Float32

SIDE = 1400  # pixels
_MARGIN = 60
_COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#e15759", "#edc948", "#9c755f",
    "#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf",
)  # fmt: skip
_NAMED = 20  # the largest groups


def save_map(points: Float32, found: Clusters, path: Path) -> None:
    """Write a PNG. points: (n, 2) in [0, 1]. Moved into place when complete. Raises OSError."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415  only where a picture is drawn

    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    places = _MARGIN + points * (SIDE - 2 * _MARGIN)
    places[:, 1] = SIDE - places[:, 1]
    radius = max(1.0, min(6.0, 250 / len(points) ** 0.5))
    for (x, y), group in zip(places.tolist(), found.of_track.tolist(), strict=True):
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, _COLOURS[group % len(_COLOURS)])
    font = ImageFont.load_default(15)
    for one in found.clusters[:_NAMED]:
        middle = np.median(places[list(one.members)], axis=0).tolist()
        draw.text(
            tuple(middle), one.name, "black", font, anchor="mm", stroke_width=3, stroke_fill="white"
        )
    with replacing(path) as draft:
        image.save(draft, format="PNG")
