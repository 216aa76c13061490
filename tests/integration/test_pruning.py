"""Which vanished files are believed to be gone, in a real database and real folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mess_plugin.library import mounts
from mess_plugin.library.pruning import Pruned, forget_vanished, give_up
from mess_plugin.library.reconcile import Request, reconcile
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import Files
from mess_plugin.store.roots import Root
from tests.stored_library import RECIPE, add_track, levels_of, raw_space, want


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


def look(store: Store, root: Path, *paths: str) -> Pruned:
    """Whether what vanished at some paths, or anywhere below the root, is believed to be gone."""
    return reconcile(store, paths or [str(root)], str(root), Request(RECIPE)).pruned


def there(store: Store) -> list[str]:
    return [Path(path).name for path in store.files.known_paths(["/"], with_missing=False)]


def test_only_what_is_surely_gone_is_given_up(store: Store, tmp_path: Path) -> None:
    """A folder that cannot be looked into hides its files; it does not take them away."""
    (tmp_path / "here.mp3").touch()
    hidden = tmp_path / "unreadable"
    hidden.symlink_to(hidden)  # for root, too, nothing can be looked at through it
    want(store, *(str(tmp_path / name) for name in ("here.mp3", "gone.mp3", "unreadable/a.mp3")))
    assert look(store, tmp_path) == Pruned(1)
    assert there(store) == ["here.mp3", "a.mp3"]
    assert look(store, tmp_path) == Pruned(0)
    assert forget_vanished(store, str(tmp_path)) == 1  # forgotten for good
    assert there(store) == ["here.mp3", "a.mp3"]
    assert len(store.files.known_paths(["/"])) == 2


def test_a_folder_inside_another_is_counted_once(store: Store, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "here.mp3").touch()
    want(store, str(inside / "here.mp3"), str(inside / "gone.mp3"))
    assert [look(store, root).gone for root in (tmp_path, inside)] == [1, 0]


@pytest.mark.parametrize("is_mounted", [True, False])
def test_an_empty_or_absent_folder_takes_nothing_along(
    store: Store, tmp_path: Path, is_mounted: bool
) -> None:
    disk = tmp_path / "disk"
    want(store, str(disk / "a.mp3"))
    if is_mounted:
        disk.mkdir()
    for pruned in (
        look(store, disk),
        look(store, disk, str(disk / "a.mp3")),
        give_up(store, str(disk), [str(disk / "a.mp3")]),
    ):
        assert pruned.gone == 0
        assert pruned.refused
    assert there(store) == ["a.mp3"]


def test_files_that_were_moved_while_nobody_looked_are_not_lost(
    store: Store, tmp_path: Path
) -> None:
    """Else a library that was put in order would believe no deletion for a day."""
    space = raw_space(store)
    old = [str(tmp_path / "old" / f"{i}.mp3") for i in range(15)]
    new = [str(tmp_path / "new" / f"{i}.mp3") for i in range(15)]
    (tmp_path / "new").mkdir()
    for i, path in enumerate(old):
        add_track(store, space, path, levels_of(i), identity=f"sound {i}")
    assert "15 of 15 known recordings are gone" in (look(store, tmp_path).refused or "")
    for i, path in enumerate(new):
        Path(path).touch()
        add_track(store, space, path, levels_of(i), identity=f"sound {i}")
    assert look(store, tmp_path) == Pruned(15)
    Path(new[0]).unlink()
    assert look(store, tmp_path, new[0]) == Pruned(1)
    assert there(store) == [Path(path).name for path in sorted(new[1:])]
    for path in new[1:11]:
        Path(path).unlink()
    refused = look(store, tmp_path, *new).refused or ""
    assert "11 of 15 known recordings are gone" in refused


def test_a_disk_below_that_is_not_mounted_takes_nothing_along(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few of the files lie on it."""
    usb = tmp_path / "usb stick"
    usb.mkdir()
    (tmp_path / "stays.mp3").touch()
    escaped = str(usb).replace(" ", "\\040")
    monkeypatch.setattr(mounts, "_table", lambda: f"/dev/sdb1 {escaped} vfat rw 0 0\n")
    assert mounts.mounted_below(str(tmp_path)) == [str(usb)]
    store.roots.save(Root(str(tmp_path), "watched"))
    for _ in range(2):
        store.roots.remember_mounts(str(tmp_path), mounts.mounted_below(str(tmp_path)))
    want(store, *(str(tmp_path / name) for name in ("stays.mp3", "gone.mp3")), str(usb / "on.mp3"))
    want(store, str(usb / "deleted.mp3"))
    assert look(store, tmp_path, str(usb / "deleted.mp3")) == Pruned(1)
    monkeypatch.setattr(mounts, "_table", lambda: "")
    pruned = look(store, tmp_path)
    assert pruned.refused == f"the disk at {usb} is not mounted; nothing below it is forgotten"
    assert there(store) == ["stays.mp3", "on.mp3"]
    assert look(store, usb, str(usb / "on.mp3")).refused is not None
    assert forget_vanished(store, str(tmp_path)) == 3
    assert store.roots.mounts() == []


def test_a_few_files_of_many_are_given_up_without_counting_all(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else giving up a file would cost the more, the larger the library is."""
    here = [str(tmp_path / f"here {i}.mp3") for i in range(13)]
    for path in here:
        Path(path).touch()
    want(store, *here, *(str(tmp_path / f"gone {i}.mp3") for i in range(13)))
    counted: list[str] = []

    def count(self: object, root: str, gone: Sequence[str]) -> tuple[int, int]:
        counted.append(root)
        return 100, 0

    monkeypatch.setattr(Files, "count_below", count)
    gone = [str(tmp_path / f"gone {i}.mp3") for i in range(12)]
    assert look(store, tmp_path, *gone) == Pruned(12)
    assert counted == []
    Path(here[0]).unlink()
    look(store, tmp_path, here[0], str(tmp_path / "gone 12.mp3"))  # 14 of 26
    assert counted == [str(tmp_path)]


def test_copies_of_what_is_there_do_not_make_up_for_what_is_lost(
    store: Store, tmp_path: Path
) -> None:
    space = raw_space(store)
    for i in range(30):
        (tmp_path / f"copy {i}.mp3").touch()
        add_track(store, space, str(tmp_path / f"copy {i}.mp3"), levels_of(1), identity="one")
    lost = [str(tmp_path / f"gone {i}.mp3") for i in range(12)]
    for i, path in enumerate(lost):
        add_track(store, space, path, levels_of(i), identity=f"sound {i}")
    refused = look(store, tmp_path, *lost).refused or ""
    assert "12 of 13 known recordings are gone" in refused
