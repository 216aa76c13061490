"""What MESS heard in the files of a music folder: tempo, key, moods."""

from __future__ import annotations

from mess_integrations.beets.fields import HeardFields
from mess_integrations.beets.session import opened
from mess_plugin.config import Settings
from mess_plugin.facets.key import name
from mess_plugin.library.pathmap import linked_paths
from mess_plugin.search.query import moods_of
from mess_plugin.services import has_library

_AT_ONCE = 5000


def read_heard(settings: Settings, folder: str) -> dict[str, HeardFields]:
    """By absolute path, all files below a folder that were heard; none where nothing is indexed.

    Raises MessError or OSError.
    """
    if not has_library(settings):
        return {}
    with opened(settings) as (_, store):
        names = linked_paths(store, folder)
        below = names.library(folder).rstrip("/") + "/"
        files = {
            file.path: file.track_id
            for file in store.hosts.known_files()
            if file.track_id is not None and file.path.startswith(below)
        }
        found: dict[int, HeardFields] = {}
        tracks = sorted(set(files.values()))
        for start in range(0, len(tracks), _AT_ONCE):
            for track_id, (one, _) in store.facets.measures(
                tracks[start : start + _AT_ONCE]
            ).items():
                found[track_id] = HeardFields(
                    one.sure_tempo_bpm,
                    name(*one.sure_key) if one.sure_key else "",
                    ", ".join(moods_of(one)),
                    one.activity,
                )
        return {names.local(path): found[track] for path, track in files.items() if track in found}
