"""`mess similar --by album | artist`."""

from __future__ import annotations

import os
from pathlib import Path

from mess_plugin.cli.output import print_json, print_table, say
from mess_plugin.cli.play import play_tracks
from mess_plugin.config import Settings
from mess_plugin.documents import groups_document
from mess_plugin.errors import UsageError
from mess_plugin.playlists.formats import write_playlist
from mess_plugin.search.groups import By, GroupResult, similar_groups
from mess_plugin.search.query import Query
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store


def answer_with_groups(
    settings: Settings,
    refs: tuple[str, ...],
    query: Query,
    by: By,
    *,
    k: int,
    offset: int,
    out: Path | None,
    play: bool,
    as_json: bool,
) -> None:
    """Find albums or artists and print them; a playlist holds all their tracks."""
    with connected(settings) as home, open_store(home.database_url or "") as store:
        for ref in refs:
            _check_file(store, ref)
        result = similar_groups(store, home, refs, query, by=by, k=k, offset=offset)
    tracks = [track for match in result.matches for track in match.tracks]
    if out is not None:
        write_playlist(out, tracks)
        say(f"{len(tracks)} tracks written to {out}")
    if as_json:
        print_json(groups_document(result))
    elif result.matches:
        _print(result)
    else:
        say(
            f"there are no more than {result.n_groups} {by}s"
            if result.n_groups
            else f"nothing to compare with: the library holds no other {by}"
        )
    if play and tracks:
        play_tracks(settings, tracks)


def _check_file(store: Store, ref: str) -> None:
    """Raise UsageError for a file from outside the library, which belongs to no album there."""
    path = os.path.abspath(os.path.expanduser(ref))  # noqa: PTH100, PTH111  text keeps odd bytes
    if os.path.isfile(path) and store.library.find_path(path) is None:  # noqa: PTH113
        raise UsageError(f"{ref} is not in the library: index it, or leave out --by")


def _print(result: GroupResult) -> None:
    say(f"{result.by}s similar to {', '.join(result.seeds)}:")
    is_album = result.by == "album"
    rows = [
        (
            match.rank,
            f"{match.score:.2f}",
            *((match.name, match.artist or "") if is_album else (match.name,)),
            len(match.tracks),
            f"{match.closest.track.title} {match.closest.score:.2f}",
        )
        for match in result.matches
    ]
    names = ("album", "artist") if is_album else ("artist",)
    records = [
        {**document, "tracks": len(document["tracks"])}
        for document in groups_document(result)["matches"]
    ]
    print_table(["#", "#score", *names, "#tracks", "closest"], rows, records=records)
