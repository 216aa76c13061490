"""The self-similarity of a recording as a picture: bright where two moments sound alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mess_plugin.atomic_file import replacing
from mess_plugin.model import Float32
from mess_plugin.search.explain import timestamp
from mess_plugin.search.self_similarity import MusicalForm, contrasted

SIDE = 800  # pixels of the matrix
_STRIP, _MARGIN, _TITLE = 24, 40, 34
_APART = 6  # pixels at least between two times
_COLOURS = np.array(
    [(16, 14, 40), (90, 30, 110), (200, 70, 80), (250, 170, 70), (252, 250, 190)], dtype=np.float64
)  # dark violet to pale yellow, evenly brighter
_LETTERS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#e15759", "#edc948", "#9c755f",
    "#ff9da7", "#2ca02c", "#17becf", "#9467bd", "#bcbd22", "#d62728", "#7f7f7f", "#8c564b",
)  # fmt: skip
_NO_LETTER = "#dddddd"
_PAPER, _INK, _LINE = "white", "black", (255, 255, 255)


def save_picture(form: MusicalForm, path: Path) -> None:
    """Write a PNG: a title, the matrix, lines at the boundaries, strips of letters, and times.

    A time that has no room beside the one before it is left out. Written beside the target and moved
    into place. Raises OSError.
    """
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415  only where a picture is drawn

    left, top = _STRIP + _MARGIN, _TITLE + _STRIP + _MARGIN
    image = Image.new("RGB", (left + SIDE + _MARGIN, top + SIDE + _STRIP), _PAPER)
    matrix = Image.fromarray(_coloured(contrasted(form.similarity)))
    image.paste(matrix.resize((SIDE, SIDE), Image.Resampling.NEAREST), (left, top))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(13)
    title = form.seed.name.replace("–", "-")  # which the font lacks
    draw.text((left, 12), title, _INK, ImageFont.load_default(18), anchor="lt")
    scale = SIDE / form.seed.duration_s
    free_x = free_y = 0.0
    for interval, label in form.sections:
        first, last = interval.start_s * scale, min(interval.end_s * scale, SIDE)
        colour = _LETTERS[(ord(label[0]) - ord("A")) % len(_LETTERS)] if label else _NO_LETTER
        draw.rectangle((left + first, top - _STRIP, left + last, top - 2), colour, _PAPER)
        draw.rectangle((_MARGIN, top + first, left - 2, top + last), colour, _PAPER)
        middle = (first + last) / 2
        draw.text((left + middle, top - _STRIP / 2 - 1), label, _INK, font, anchor="mm")
        draw.text((_MARGIN + _STRIP / 2, top + middle), label, _INK, font, anchor="mm")
        if interval.start_s > 0:
            draw.line((left + first, top, left + first, top + SIDE), _LINE)
            draw.line((left, top + first, left + SIDE, top + first), _LINE)
        at = timestamp(interval.start_s)
        box = draw.textbbox((0, 0), at, font)
        if first >= free_x:
            draw.text((left + first, top - _STRIP - 4), at, _INK, font, anchor="ls")
            free_x = first + box[2] - box[0] + _APART
        if first >= free_y:
            draw.text((_MARGIN - 4, top + first), at, _INK, font, anchor="rt")
            free_y = first + box[3] - box[1] + _APART
    with replacing(path) as draft:
        image.save(draft, format="PNG", optimize=True)


def _coloured(values: Float32) -> np.ndarray:
    """(n, n) in [0, 1] → (n, n, 3) uint8."""
    places = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(values, places, _COLOURS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
