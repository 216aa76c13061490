"""Indexing: a job of the ledger → a stored track. The only place that writes music data.

Every step can be repeated and every write is one transaction, so a process may die anywhere.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from mess_plugin import audio
from mess_plugin.analysis.hierarchy import Analysis, embed
from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import AudioError
from mess_plugin.heads.tags import tag_track
from mess_plugin.library.hearing import hear_whole
from mess_plugin.library.lyrics import read_lyrics
from mess_plugin.library.pathmap import SAME_PATHS, PathMap
from mess_plugin.library.tags import read_tags
from mess_plugin.library.walk import see
from mess_plugin.model import Level, Space, Tags
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.spaces.vectors import project_into, raw_space
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.jobs import Job


class Indexed(msgspec.Struct, frozen=True):
    """What became of a job, see `index`, and the track that the file holds where that is known."""

    outcome: str
    track_id: int | None = None


class _Overtaken(Exception):
    """The file was renamed or forgotten while it was heard: nothing may be written about it."""


def index(
    store: Store,
    job: Job,
    encoder: Encoder,
    *,
    limit_s: float | None,
    paths: PathMap = SAME_PATHS,
) -> Indexed:
    """Do one job and say what became of it.

    "encoded": the encoder ran; "known": the audio was in the library already, only the location and
    the tags were noted; "gone": the file vanished; "changed": it changed or was renamed meanwhile
    and is wanted again. paths: where this machine has the library's folders.
    Raises AudioError where the file cannot become music.
    """
    path = Path(paths.local(job.path))
    before = _fingerprint(path)
    if before is None:
        store.files.mark_missing([job.path])
        return Indexed("gone")
    recipe = Recipe.parse(job.recipe)
    space = raw_space(store, recipe, encoder)
    try:
        identity = audio.identify(path, limit_s=limit_s)
        tags, lyrics = read_tags(path), read_lyrics(path)
        track_id = store.library.find_identity(identity)
        if track_id is not None and store.embeddings.has(space, track_id):
            heard = None
        else:
            heard = hear_whole(path, encoder, recipe, limit_s)
    except AudioError:
        if _fingerprint(path) == before:
            raise
        return Indexed("changed")  # what could not be heard is not what is there now
    if _fingerprint(path) != before:
        return Indexed("changed")
    try:
        with store.transaction():
            if heard is not None:
                # Before any row is locked: no deadlock with a switch.
                store.spaces.share_lock(space)
                track_id = store.library.save(identity, heard.analysis.duration_s, heard.damage)
                _write(store, space, track_id, heard.analysis, encoder)
                if heard.facets is not None:
                    store.facets.write(track_id, heard.facets)
            assert track_id is not None
            _locate(store, job, track_id, tags)
            store.lyrics.save(job.path, lyrics)
    except _Overtaken:
        return Indexed("changed")
    return Indexed("known" if heard is None else "encoded", track_id)


def _locate(store: Store, job: Job, track_id: int, tags: Tags) -> None:
    if not store.files.locate(job.file_id, job.path, track_id, tags):
        raise _Overtaken


def _write(store: Store, space: Space, track_id: int, analysis: Analysis, encoder: Encoder) -> None:
    """All levels into the raw space and into every space computed from it, under its lock."""
    raw = {level: embed(analysis, level, encoder.projections) for level in Level}
    store.embeddings.write(space, track_id, raw)
    if len(raw[Level.SONG].vectors):
        tag_track(store, space, track_id, raw[Level.SONG].vectors[0])
    for projected in store.spaces.projected(space):
        store.embeddings.write(projected, track_id, project_into(store, projected, raw))


def _fingerprint(path: Path) -> SeenFile | None:
    try:
        return see(str(path))
    except OSError as error:
        raise AudioError(
            str(path), "unreadable", f"it cannot be opened: {error.strerror}"
        ) from error
