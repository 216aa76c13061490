"""What a host says it did, taken into a real ledger."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from mess_plugin.library import reconcile, spool
from mess_plugin.library.pathmap import SAME_PATHS, linked_paths
from mess_plugin.library.reconcile import Request
from mess_plugin.library.spool import Changes
from mess_plugin.library.walk import see
from mess_plugin.model import Tags
from mess_plugin.store import Store
from mess_plugin.store.roots import Root

RECIPE = "descriptors||5/2.5"
REQUEST = Request(RECIPE)


def known(store: Store, path: Path) -> int:
    """A file that the library holds as a recording; returns the track's id."""
    path.write_bytes(path.name.encode())
    seen = see(str(path))
    assert seen is not None
    job_id = store.jobs.enqueue([seen], RECIPE, uuid4()).job_ids[0]
    job = store.jobs.start(job_id)
    assert job is not None
    track_id = store.library.save(f"identity of {path.name}", 10.0, None)
    store.files.locate(job.file_id, str(path), track_id, Tags(title=path.stem))
    store.jobs.finish(job_id, "encoded")
    return track_id


def changes(
    music: Path,
    touched: tuple[Path, ...] = (),
    moved: tuple[tuple[Path, Path], ...] = (),
    removed: tuple[Path, ...] = (),
) -> Changes:
    return Changes(
        tuple(map(str, touched)),
        tuple((str(old), str(new)) for old, new in moved),
        tuple(map(str, removed)),
        str(music),
    )


def take(store: Store, changes: Changes) -> list[int]:
    """The jobs that follow from changes."""
    return [job for found in reconcile.take(store, changes, REQUEST) for job in found.job_ids]


def at(store: Store, path: Path) -> int | None:
    found = store.library.find_path(str(path))
    return found[0] if found else None


def test_new_files_are_wanted_once(store: Store, music: Path) -> None:
    (music / "a.flac").write_bytes(b"a")
    first = take(store, changes(music, (music / "a.flac",)))
    assert len(first) == 1
    assert take(store, changes(music, (music / "a.flac",))) == first


def test_a_moved_file_keeps_its_recording(store: Store, music: Path) -> None:
    track_id = known(store, music / "a.flac")
    (music / "a.flac").rename(music / "b.flac")
    jobs = take(store, changes(music, moved=((music / "a.flac", music / "b.flac"),)))
    assert at(store, music / "b.flac") == track_id
    assert store.library.find_path(str(music / "a.flac")) is None
    assert len(jobs) == 1, "its name and tags are read again"


def test_a_move_to_a_place_that_is_known_already_leaves_no_ghost(store: Store, music: Path) -> None:
    known(store, music / "a.flac")
    there = known(store, music / "b.flac")
    (music / "a.flac").rename(music / "b.flac")
    take(store, changes(music, moved=((music / "a.flac", music / "b.flac"),)))
    assert at(store, music / "b.flac") == there
    assert store.library.find_path(str(music / "a.flac")) is None


def test_a_copy_is_not_a_move(store: Store, music: Path) -> None:
    track_id = known(store, music / "a.flac")
    (music / "b.flac").write_bytes(b"a.flac")
    take(store, changes(music, moved=((music / "a.flac", music / "b.flac"),)))
    assert at(store, music / "a.flac") == track_id


def test_only_what_is_gone_is_forgotten(store: Store, music: Path) -> None:
    track_id = known(store, music / "here.flac")
    known(store, music / "gone.flac")
    (music / "gone.flac").unlink()
    paths = (music / "here.flac", music / "gone.flac", music / "never seen.flac")
    assert take(store, changes(music, removed=paths)) == []
    assert at(store, music / "here.flac") == track_id
    assert store.library.find_path(str(music / "gone.flac")) is None
    assert store.library.count()[0] == 1


@pytest.mark.parametrize("missing", [False, True], ids=["empty", "missing"])
def test_nothing_is_forgotten_while_the_disk_is_away(
    store: Store, music: Path, missing: bool
) -> None:
    track_id = known(store, music / "a.flac")
    (music / "a.flac").unlink()
    if missing:
        music.rmdir()
    take(store, changes(music, removed=(music / "a.flac",)))
    assert at(store, music / "a.flac") == track_id


def test_draining_empties_the_spool(store: Store, music: Path, tmp_path: Path) -> None:
    (music / "a.flac").write_bytes(b"a")
    spool.keep(tmp_path, changes(music, (music / "a.flac",)))
    spool.keep(tmp_path, changes(music, removed=(music / "b.flac",)))
    assert [found.job_ids for found in reconcile.drain(tmp_path, store, REQUEST)] == [[1], []]
    assert spool.waiting(tmp_path) == []


def test_recordings_are_found_by_musicbrainz(store: Store, music: Path) -> None:
    (music / "a.flac").write_bytes(b"a")
    seen = see(str(music / "a.flac"))
    assert seen is not None
    job = store.jobs.start(store.jobs.enqueue([seen], RECIPE, uuid4()).job_ids[0])
    assert job is not None
    track_id = store.library.save("identity", 10.0, None)
    store.files.locate(job.file_id, job.path, track_id, Tags(musicbrainz_recording="mb-1"))
    assert store.library.find_recording("mb-1") == track_id
    assert store.library.find_recording("mb-2") is None


def test_a_music_folder_that_a_link_leads_to_is_known_by_one_name(
    store: Store, music: Path, tmp_path: Path
) -> None:
    track_id = known(store, music / "a.flac")
    link = tmp_path / "Link"
    link.symlink_to(music)
    assert linked_paths(store, str(music)) == SAME_PATHS
    names = linked_paths(store, str(link))
    assert names.library(str(link / "a.flac")) == str(music / "a.flac")
    assert names.local(str(music / "a.flac")) == str(link / "a.flac")
    (music / "a.flac").rename(music / "b.flac")
    (music / "c.flac").write_bytes(b"c")
    take(store, changes(link, (link / "c.flac",), ((link / "a.flac", link / "b.flac"),)))
    assert at(store, music / "b.flac") == track_id
    assert sorted(store.files.known_paths(["/"], with_missing=False)) == [
        str(music / "b.flac"),
        str(music / "c.flac"),
    ]


def test_a_library_that_was_indexed_through_a_link_keeps_that_name(
    store: Store, music: Path, tmp_path: Path
) -> None:
    link = tmp_path / "Link"
    link.symlink_to(tmp_path)
    assert linked_paths(store, str(music)) == SAME_PATHS, "nothing is known yet"
    known(store, link / "music" / "a.flac")
    assert linked_paths(store, str(link / "music")) == SAME_PATHS
    store.roots.save(Root(str(link), "watched"))
    names = linked_paths(store, str(music))
    assert names.library(str(music / "a.flac")) == str(link / "music" / "a.flac")
