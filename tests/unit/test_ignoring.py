"""Which folders and files below a root are not the library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mess_plugin.errors import ConfigError
from mess_plugin.library.ignoring import Ignoring
from mess_plugin.library.walk import Walk, describe_omissions


def add(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def found(root: Path, *ignore: str) -> list[str]:
    return [os.path.relpath(file.path, root) for file in Walk([str(root)], ignore=ignore)]


@pytest.mark.parametrize(
    "folder",
    [
        "#recycle", "@Recycle", "$RECYCLE.BIN/S-1-5-21", "@eaDir", "lost+found", "RECYCLER",
        ".Trash-1000/files", "System Volume Information", "#SNAPSHOT", "__MACOSX/Album",
        "@Recently-Snapshot",
    ],
)  # fmt: skip
def test_trash_and_service_folders_are_left_out(tmp_path: Path, folder: str) -> None:
    add(tmp_path, "Album/a.mp3", f"{folder}/b.mp3", f"Album/{folder}/deep/c.mp3")
    walk = Walk([str(tmp_path)])
    assert [Path(file.path).name for file in walk] == ["a.mp3"]
    if not folder.startswith("."):
        assert walk.left_out == {folder.split("/", maxsplit=1)[0]: 2}


def test_names_that_only_look_like_it_are_music(tmp_path: Path) -> None:
    names = ["#1 Crush/a.mp3", "$ave/b.mp3", "@home/c.mp3", "Lost and Found/d.mp3", "recycle/e.mp3"]
    add(tmp_path, *names, "@eaDir.mp3", "#recycle.mp3")
    assert sorted(found(tmp_path)) == sorted([*names, "@eaDir.mp3", "#recycle.mp3"])


@pytest.mark.parametrize("mark", [".nomedia", ".ndignore", ".ignore"])
def test_a_mark_leaves_out_its_folder_and_all_below(tmp_path: Path, mark: str) -> None:
    add(tmp_path, "In/a.mp3", "Out/b.mp3", "Out/deep/c.mp3")
    (tmp_path / "Out" / mark).write_text("\n# only a remark\n" if mark != ".nomedia" else "*.jpg")
    walk = Walk([str(tmp_path)])
    assert [Path(file.path).name for file in walk] == ["a.mp3"]
    assert walk.left_out == {mark: 1}


@pytest.mark.parametrize("mark", [".plexignore", ".ndignore", ".ignore"])
def test_patterns_of_a_mark_hold_for_its_folder(tmp_path: Path, mark: str) -> None:
    add(tmp_path, "A/demo.mp3", "A/song.mp3", "A/Bonus/b.mp3", "A/x/demo.mp3", "demo.mp3")
    (tmp_path / "A" / mark).write_text("demo.mp3\nBonus/\n")
    assert found(tmp_path) == ["demo.mp3", "A/song.mp3"]
    (tmp_path / "A" / "x" / mark).write_text("!demo.mp3\n")
    assert found(tmp_path) == ["demo.mp3", "A/song.mp3", "A/x/demo.mp3"], "the inner one decides"


def test_an_empty_plexignore_leaves_out_nothing(tmp_path: Path) -> None:
    add(tmp_path, "A/a.mp3", "A/.plexignore")
    (tmp_path / "A" / ".plexignore").write_text("")
    assert found(tmp_path) == ["A/a.mp3"]


def test_the_setting_holds_for_every_root(tmp_path: Path) -> None:
    add(tmp_path, "Audiobooks/a.mp3", "Music/Podcasts/b.mp3", "Music/c.mp3", "Music/d.wav")
    assert found(tmp_path, "/Audiobooks", "Podcasts/", "*.wav") == ["Music/c.mp3"]
    assert found(tmp_path, "/*", "!/Music/", "Podcasts", "*.wav") == ["Music/c.mp3"]


def test_a_root_that_was_named_is_always_looked_at(tmp_path: Path) -> None:
    root = tmp_path / "#recycle"
    add(root, "a.mp3", ".nomedia")
    assert found(root) == ["a.mp3"]
    assert [Path(file.path).name for file in Walk([str(root / "a.mp3")])] == ["a.mp3"]


def test_a_path_is_judged_as_a_walk_would(tmp_path: Path) -> None:
    """Whether it is there or not: an event may tell of what has vanished."""
    add(tmp_path, "Out/.nomedia", "Out/deep/a.mp3", "In/a.mp3", "#recycle/x/b.mp3")
    ignoring = Ignoring(str(tmp_path), ("*.tmp.mp3",))
    assert ignoring.why(str(tmp_path), is_folder=True) == ""
    assert ignoring.why(str(tmp_path / "In" / "a.mp3"), is_folder=False) == ""
    assert ignoring.why(str(tmp_path / "never" / "was.mp3"), is_folder=False) == ""
    assert ignoring.why(str(tmp_path / "Out" / "deep"), is_folder=True) == ".nomedia"
    assert ignoring.why(str(tmp_path / "Out" / "deep" / "a.mp3"), is_folder=False) == ".nomedia"
    assert ignoring.why(str(tmp_path / "#recycle" / "x" / "b.mp3"), is_folder=False) == "#recycle"
    assert ignoring.why(str(tmp_path / "In" / "a.tmp.mp3"), is_folder=False)
    assert ignoring.why(str(tmp_path / ".h" / "a.mp3"), is_folder=False) == "hidden"
    assert ignoring.why(str(tmp_path.parent / "other.mp3"), is_folder=False) == "elsewhere"


def test_a_broken_pattern_is_named_and_the_others_hold(tmp_path: Path) -> None:
    add(tmp_path, "A/a.mp3", "A/b.mp3")
    (tmp_path / "A" / ".ndignore").write_bytes(b"!\nb.mp3\n\xff\xfe\0\n")
    walk = Walk([str(tmp_path)])
    assert [Path(file.path).name for file in walk] == ["a.mp3"]
    assert any(".ndignore" in line and "'!'" in line for line in walk.unreadable)
    with pytest.raises(ConfigError, match="ignore"):
        list(Walk([str(tmp_path)], ignore=["!"]))


def test_what_is_passed_over_is_counted_by_ending(tmp_path: Path) -> None:
    add(
        tmp_path,
        *(f"{i}.cue" for i in range(9)),
        "a.iso",
        "b.ISO",
        "c.iso",
        "README",
        "a.mp3",
        ".x",
    )
    walk = Walk([str(tmp_path)])
    list(walk)
    assert describe_omissions(walk.passed_over, {}) == [
        "13 files passed over: 9 .cue, 3 .iso, 1 no ending"
    ]
    assert describe_omissions({}, {"#recycle": 1}) == ["1 folder left out: 1 #recycle"]
    many = {f".{i}": 1 for i in range(9)}
    assert describe_omissions(many, {})[0].endswith(", 3 others")
    assert describe_omissions({}, {}) == []
