from __future__ import annotations

import json
from pathlib import Path

import pytest

from mess_plugin.library import spool
from mess_plugin.library.spool import Changes

ODD = "/m/caf\udce9.flac"  # a byte that is no UTF-8


def changes(*touched: str) -> Changes:
    return Changes(touched, (("/m/a", "/m/b"),), ("/m/gone",), "/m")


def test_what_is_kept_is_read_again_in_order(tmp_path: Path) -> None:
    first, second = changes(ODD, "/m/x"), changes("/m/y")
    spool.keep(tmp_path, first)
    spool.keep(tmp_path, second)
    assert [found for _, found in spool.read(tmp_path)] == [first, second]
    assert spool.count(tmp_path) == 4 + 3


def test_an_empty_home_has_nothing_waiting(tmp_path: Path) -> None:
    assert spool.count(tmp_path) == 0


def test_half_a_file_is_never_read(tmp_path: Path) -> None:
    kept = spool.keep(tmp_path, changes("/m/x"))
    kept.with_name(f".{kept.name}.part").write_text('{"touched": [')
    assert spool.waiting(tmp_path) == [kept]


def test_a_damaged_file_is_set_aside_and_blocks_nothing(tmp_path: Path) -> None:
    damaged = spool.keep(tmp_path, changes("/m/x"))
    damaged.write_text("not JSON")
    spool.keep(tmp_path, changes("/m/y"))
    assert [found.touched for _, found in spool.read(tmp_path)] == [("/m/y",)]
    assert damaged.with_suffix(".damaged").read_text() == "not JSON"
    assert damaged not in spool.waiting(tmp_path)


@pytest.mark.parametrize(
    "touched", [[1], ["/m/\ud800"], ["/m/a\0b"], None, [["/m/a"]], 7], ids=repr
)
def test_what_is_no_path_is_set_aside(tmp_path: Path, touched: object) -> None:
    """A path that no disk could have would stop whoever takes the changes, again and again."""
    kept = spool.keep(tmp_path, changes("/m/x"))
    raw = json.loads(kept.read_text()) | {"touched": touched}
    kept.write_text(json.dumps(raw))
    assert list(spool.read(tmp_path)) == []
    assert spool.waiting(tmp_path) == []
    assert kept.with_suffix(".damaged").exists()
