"""Tracks by a description of their sound, asked through CLAP's text tower: `mess find --text`."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import msgspec
import numpy as np

from mess_plugin.atomic_file import write_bytes
from mess_plugin.config import Settings
from mess_plugin.encoders.clap import DIM, NAME
from mess_plugin.encoders.clap_text import JOINT_DIM, SoundMap, TextTower
from mess_plugin.errors import UsageError
from mess_plugin.model import Float32, Space, Track
from mess_plugin.search.filters import passing
from mess_plugin.search.never import never_suggested
from mess_plugin.search.query import MAX_K, Filters
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.spaces.recipe import Recipe, weights_of
from mess_plugin.store import Store

MOST_LETTERS = 1000
"""Of a description."""
_FOLDER = "texts"  # in the home
_MAP = "sound-map.npz"
_LOADING = Lock()  # a tower takes about a gigabyte while it is loaded: one at a time


class DescribedTrack(msgspec.Struct, frozen=True):
    """A track as an answer to a description."""

    track: Track
    similarity: float
    """Cosine of text and sound in CLAP's shared space, -1 to 1."""


class DescribedTracks(msgspec.Struct, frozen=True):
    """The tracks that fit a description best."""

    text: str
    matches: tuple[DescribedTrack, ...]
    n_compared: int
    """How many tracks the description was compared with."""
    n_never: int
    """How many were left out because they are never suggested."""


def find_described(
    store: Store, settings: Settings, text: str, filters: Filters | None = None, *, k: int = 10
) -> DescribedTracks:
    """The at most k tracks that pass the filters and sound most like what a text describes.

    The whole song is compared: CLAP's own map is applied to the mean of its stored states. Raises
    UsageError where CLAP is not the encoder in use or nothing is asked, EncoderError where the text
    tower cannot be loaded.
    """
    text = " ".join(text.replace("\0", " ").split())
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}: wanted 1 to {MAX_K}")
    if not text or len(text) > MOST_LETTERS:
        raise UsageError(f"the text has {len(text)} letters: wanted 1 to {MOST_LETTERS}")
    settings = resolve_settings(store, settings)
    space = _space(store, settings)
    if filters is not None and filters.any:
        asked = passing(store, filters, None)
    else:
        asked = [one.track_id for one in store.filters.allowed({})]
    never = set(never_suggested(store, None))
    ids, songs = store.filters.songs(space, [one for one in asked if one not in never])
    if not len(ids):
        return DescribedTracks(text, (), 0, len(never.intersection(asked)))
    wanted, sound_map = _text_vector(settings, space, text)
    scores = sound_map.apply(songs) @ wanted
    order = np.argsort(-scores, kind="stable")[:k]
    tracks = store.library.get([int(ids[row]) for row in order])
    matches = tuple(
        DescribedTrack(tracks[int(ids[row])], float(scores[row]))
        for row in order
        if int(ids[row]) in tracks
    )
    return DescribedTracks(text, matches, len(ids), len(never.intersection(asked)))


def _space(store: Store, settings: Settings) -> Space:
    """The raw space of CLAP, which answers here."""
    if settings.encoder != NAME:
        raise UsageError(
            f"only {NAME} understands texts, and {settings.encoder} is in use: run `mess encoders "
            f"download {NAME}`, then `mess encoders use {NAME}`"
        )
    space = store.spaces.base(str(Recipe.of(settings)))
    if space is None:
        raise UsageError("nothing is indexed yet: run `mess index` on a folder with music")
    if space.dim != DIM:
        raise UsageError(
            "the library was encoded by a MESS that could not ask by text: run `mess index --force` "
            "on its folders"
        )
    return space


def _text_vector(settings: Settings, space: Space, text: str) -> tuple[Float32, SoundMap]:
    """(512,) of the text, and the map of songs to compare it with: as kept in the home, else made."""
    digest = space.revision.partition(".")[0]
    folder = settings.home / _FOLDER / f"{NAME}-{digest}"
    kept = folder / f"{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}.npz"
    found, sound_map = _read(kept), _read(folder / _MAP)
    try:
        vector = found["text"]
        if vector.shape == (JOINT_DIM,):
            return vector, SoundMap(**sound_map)
    except (KeyError, TypeError):
        pass  # not kept yet, or not whole
    with _LOADING:
        tower = TextTower(weights_of(NAME, settings), digest)
        vector = tower.encode(text)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _MAP, tower.sound_map._asdict())
    _write(kept, {"text": vector})
    return vector, tower.sound_map


def _read(path: Path) -> dict[str, Float32]:
    """Arrays of a file by name; none where it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name], np.float32) for name in arrays.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return {}


def _write(path: Path, arrays: Mapping[str, Float32]) -> None:
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    write_bytes(path, data.getvalue())
