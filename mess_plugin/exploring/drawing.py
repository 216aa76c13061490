"""The map as a picture: a dot a track, coloured by cluster, with the names of clusters and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mess_plugin.atomic_file import replacing
from mess_plugin.exploring.clusters import Clusters
from mess_plugin.model import Float32

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SIDE, LEGEND = 1400, 440  # pixels: of the map, which is square, and beside it
_MARGIN, _HEAD = 60, 90
_FINER = 3  # drawn so many times larger, and made smaller: smooth edges
_COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#e15759", "#edc948", "#9c755f",
    "#ff9da7", "#2ca02c", "#8c564b", "#17becf", "#9467bd", "#bcbd22", "#d62728", "#7f7f7f",
)  # fmt: skip
_NAMED = 24  # the largest clusters
_INK, _PALE = "#17202c", "#5b6675"
_LONGEST = 34  # letters of a name

Box = tuple[float, float, float, float]


def save_map(points: Float32, found: Clusters, path: Path) -> None:
    """Write a PNG. points: (n, 2) in [0, 1]. Moved into place when complete. Raises OSError."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415  only where a picture is drawn

    size = (SIDE + LEGEND, SIDE)
    image = Image.new("RGB", (size[0] * _FINER, size[1] * _FINER), "white")
    room = np.array([SIDE - 2 * _MARGIN, SIDE - _HEAD - _MARGIN])
    places = np.array([_MARGIN, _MARGIN]) + points * room
    places[:, 1] = SIDE - places[:, 1]
    radius = max(1.0, min(7.0, 250 / len(points) ** 0.5))
    dots = ImageDraw.Draw(image)
    for (x, y), group in zip(places.tolist(), found.of_track.tolist(), strict=True):
        box = tuple(_FINER * v for v in (x - radius, y - radius, x + radius, y + radius))
        dots.ellipse(box, _colour(group), "white", _FINER // 2)
    image = image.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    draw.text((_MARGIN, 32), "Map of the library", _INK, ImageFont.load_default(30))
    said = f"{len(points)} tracks; what lies together sounds alike"
    draw.text((_MARGIN, 68), said, _PALE, ImageFont.load_default(17))
    _label(draw, places, found, ImageFont.load_default(16))
    _legend(draw, found, ImageFont.load_default(17))
    with replacing(path) as draft:
        image.save(draft, format="PNG")


def _colour(group: int) -> str:
    return _COLOURS[group % len(_COLOURS)]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _label(
    draw: ImageDraw, places: Float32, found: Clusters, font: FreeTypeFont | ImageFont
) -> None:
    """Write each name near the middle of its cluster, where no other name stands."""
    written: list[Box] = []
    for one in found.clusters[:_NAMED]:
        x, y = np.median(places[list(one.members)], axis=0).tolist()
        text = _short(one.name)
        left, top, right, bottom = draw.textbbox((0, 0), text, font)
        width, height = right - left + 8, bottom - top + 8
        for dx, dy in _ways_off():
            box = _inside(x + dx - width / 2, y + dy - height / 2, width, height)
            if not any(_overlap(box, other) for other in written):
                break
        written.append(box)
        draw.text(
            ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, _INK, font, anchor="mm",
            stroke_width=3, stroke_fill="white",
        )  # fmt: skip


def _ways_off() -> Iterator[tuple[float, float]]:
    """Nowhere, then further and further away, all around."""
    yield 0.0, 0.0
    for distance in range(14, 240, 12):
        for turn in range(16):
            yield distance * 1.6 * cos(turn * pi / 8), distance * sin(turn * pi / 8)


def _inside(x: float, y: float, width: float, height: float) -> Box:
    """A box of a size, moved so that it lies on the map."""
    x, y = min(max(x, 4), SIDE - width - 4), min(max(y, _HEAD), SIDE - height - 4)
    return x, y, x + width, y + height


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend(draw: ImageDraw, found: Clusters, font: FreeTypeFont | ImageFont) -> None:
    """The largest clusters with their colours and sizes, and how many others there are."""
    rows: Sequence[tuple[str, str]] = [
        (_colour(number), f"{_short(one.name)}  ({len(one.members)})")
        for number, one in enumerate(found.clusters[:_NAMED])
    ]
    left, top, step = SIDE + 10, _HEAD + 20, 34
    for number, (colour, text) in enumerate(rows):
        y = top + number * step
        draw.rounded_rectangle((left, y - 8, left + 16, y + 8), 8, colour)
        draw.text((left + 28, y), text, _INK, font, anchor="lm")
    if len(found.clusters) > _NAMED:
        more = f"and {len(found.clusters) - _NAMED} smaller clusters"
        draw.text((left + 28, top + len(rows) * step), more, _PALE, font, anchor="lm")
