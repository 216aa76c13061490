"""`mess about`."""

from __future__ import annotations

import click

from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.cli.shared_options import complete_ref
from mess_plugin.config import load_settings
from mess_plugin.documents import measures_document, tags_document
from mess_plugin.errors import UsageError
from mess_plugin.facets import Measures
from mess_plugin.facets import key as keys
from mess_plugin.heads.tags import ensure_tags, likeliest
from mess_plugin.library.languages import NAMES
from mess_plugin.model import Track
from mess_plugin.search.query import moods_of
from mess_plugin.search.references import find_track
from mess_plugin.services import connected
from mess_plugin.store import open_store
from mess_plugin.store.lyrics import Lyrics
from mess_plugin.store.tags import TrackTags

_TAGS = 5  # that are shown, whether or not they pass the bar


@click.command()
@click.argument("ref", shell_complete=complete_ref)
@table_options
def about(ref: str, as_json: bool) -> None:
    """Show tempo, key, loudness and attributes of REF: as heard, and as tagged."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        track_id = find_track(store, ref)
        track = store.library.get([track_id])[track_id]
        measured = store.facets.measures([track_id])
        lyrics = store.lyrics.of_tracks([track_id]).get(track_id)
        for space in store.spaces.active():
            ensure_tags(store, space)
        tags = store.tags.of([track_id]).get(track_id)
    if track_id not in measured:
        raise UsageError(
            f"{track.describe()} has no facets yet: run `mess facets`, which hears what lacks them"
        )
    measures = measured[track_id][0]
    if as_json:
        print_json(_document(track, measures, lyrics, tags))
        return
    say(track.describe())
    print_table(
        ["measure", "heard", "#confidence", "tagged"],
        [*_rows(track, measures), *_tag_rows(tags), *_lyrics_rows(lyrics)],
    )


def _document(
    track: Track, measures: Measures, lyrics: Lyrics | None, tags: TrackTags | None
) -> dict[str, object]:
    return {
        "id": track.id,
        "path": track.path,
        **measures_document(measures),
        "tags": tags and tags_document(tags),
        "tagged": {"bpm": track.tags.bpm, "key": track.tags.key},
        "lyrics": lyrics and {"language": lyrics.language, "text": lyrics.text},
    }


def _tag_rows(tags: TrackTags | None) -> list[tuple[str, str, str, str]]:
    if tags is None:
        return []
    return [("tag", tag, f"{probable:.2f}", "") for tag, probable in likeliest(tags, _TAGS)]


def _lyrics_rows(lyrics: Lyrics | None) -> list[tuple[str, str, str, str]]:
    if lyrics is None:
        return []
    language = NAMES[lyrics.language][-1].title() if lyrics.language in NAMES else "not clear"
    return [
        ("language of the lyrics", language, "", ""),
        ("lyrics begin", lyrics.text.split("\n", 1)[0], "", ""),
    ]


def _rows(track: Track, measures: Measures) -> list[tuple[str, str, str, str]]:
    tempo, key, loudness = measures.tempo, measures.key, measures.loudness
    lufs, range_lu = loudness.integrated_lufs, loudness.range_lu
    tagged_bpm = "" if track.tags.bpm is None else f"{track.tags.bpm:g} bpm"
    return [
        (
            "tempo",
            _guess(f"{tempo.bpm:.1f} bpm", tempo.is_sure) if tempo else "none",
            f"{tempo.confidence:.2f}" if tempo else "",
            tagged_bpm,
        ),
        (
            "key",
            _guess(keys.name(key.tonic, key.mode), key.is_sure) if key else "none",
            f"{key.confidence:.2f}" if key else "",
            track.tags.key or "",
        ),
        ("loudness", "below the gate" if lufs is None else f"{lufs:.1f} LUFS", "", ""),
        ("loudness range", "" if range_lu is None else f"{range_lu:.1f} LU", "", ""),
        ("activity", f"{measures.activity:.2f}", "", ""),
        ("brightness", _share(measures.brightness), "", ""),
        ("drive", _share(measures.drive), "", ""),
        ("moods", ", ".join(moods_of(measures)), "", ""),
    ]


def _guess(text: str, is_sure: bool) -> str:
    return text if is_sure else f"unsure ({text}?)"


def _share(value: float | None) -> str:
    return "not heard yet: run `mess facets`" if value is None else f"{value:.2f}"
