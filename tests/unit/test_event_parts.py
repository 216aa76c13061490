"""The small parts of the event pipeline: mounts, hours, path maps, logs."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest

from mess_plugin.errors import ConfigError
from mess_plugin.library import mounts
from mess_plugin.library.mounts import file_system, keeps_inodes, tells_of_changes
from mess_plugin.library.nightly import last_night, next_night
from mess_plugin.library.pathmap import PathMap
from mess_plugin.logs import JsonLines
from mess_workers.logs import working_at
from mess_workers.schedule import is_open

MOUNTS = r"""rootfs / ext4 rw 0 0
nas:/music /srv/music nfs4 rw 0 0
/dev/sdb1 /srv/music/local xfs rw 0 0
//nas/b /mnt/with\040space cifs rw 0 0
user@host: /home/me/remote fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "tells"),
    [
        ("/home/me", "ext4", True),
        ("/srv/music", "nfs4", False),
        ("/srv/music/a", "nfs4", False),
        ("/srv/musical", "ext4", True),
        ("/srv/music/local/x", "xfs", True),
        ("/mnt/with space/x", "cifs", False),
        ("/home/me/remote/x", "fuse.sshfs", False),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str, tells: bool) -> None:
    assert file_system(path, MOUNTS) == kind
    assert tells_of_changes(kind) is tells


def test_the_longest_folder_of_a_path_map_wins() -> None:
    paths = PathMap.parse(["/music=/mnt/nas", "/music/live=/data/live/", "/x=/"])
    assert paths.local("/music/a.flac") == "/mnt/nas/a.flac"
    assert paths.local("/music/live/a.flac") == "/data/live/a.flac"
    assert paths.local("/musical/a.flac") == "/musical/a.flac"
    assert paths.local("/x/y") == "/y"
    for path in ("/music/a.flac", "/music/live/b", "/music"):
        assert paths.library(paths.local(path)) == path


def test_file_systems_that_make_up_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_table", lambda: MOUNTS)
    paths = ["/home/me/a", "/srv/music/a", "/mnt/with space/a", "/home/me/remote/a"]
    assert [keeps_inodes(-1 - i, path) for i, path in enumerate(paths)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("rule", ["/music", "music=/m", "/music=m", "="])
def test_a_wrong_path_map_is_named(rule: str) -> None:
    with pytest.raises(ConfigError, match="path_map"):
        PathMap.parse([rule])


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        (None, "12:00", True),
        ("22:00-06:30", "23:59", True),
        ("22:00-06:30", "06:29", True),
        ("22:00-06:30", "06:30", False),
        ("22:00-06:30", "12:00", False),
        ("9:00-17:00", "08:59", False),
        ("9:00-17:00", "09:00", True),
        ("00:00-00:00", "15:00", True),
    ],
)
def test_hours(hours: str | None, at: str, expected: bool) -> None:
    assert is_open(hours, datetime.fromisoformat(f"2026-01-01T{at}")) is expected


@pytest.mark.parametrize("hours", ["night", "25:00-06:00", "22-06", "22:00-06:61"])
def test_wrong_hours_are_named(hours: str) -> None:
    with pytest.raises(ConfigError, match="index_hours"):
        is_open(hours, datetime.fromisoformat("2026-01-01T12:00"))


def test_the_next_night_is_at_most_a_day_away() -> None:
    evening = datetime.fromisoformat("2026-05-01T22:00:00+02:00")
    assert next_night(evening).isoformat() == "2026-05-02T03:00:00+02:00"
    assert next_night(next_night(evening)).isoformat() == "2026-05-03T03:00:00+02:00"
    assert last_night(evening).isoformat() == "2026-05-01T03:00:00+02:00"
    assert last_night(next_night(evening)) == next_night(evening)


def test_json_lines_carry_the_job() -> None:
    record = logging.LogRecord("mess", logging.INFO, "x", 1, "done %d\nnext", (3,), None)
    with working_at(7):
        document = json.loads(JsonLines().format(record))
    assert document["job"] == 7
    assert document["message"] == "done 3\nnext"
    assert "job" not in json.loads(JsonLines().format(record))
