"""Lists of recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from mess_plugin.errors import UsageError
from mess_plugin.evaluation.listing import Role, read_listing

HEADER = "album\ttrack\tpackage\tduration_s\tartist_id\tmixed\teval_role\trobustness\n"


def test_reads_what_the_tasks_need(tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    file.write_text(
        HEADER + 'one\tone/"a.ogg\tbox\t60\tann\t0\tq\t1\none\tone/b.ogg\tbox\t60\tann\t1\t-\t0\n'
    )
    first, second = read_listing(file)
    assert (first.track, first.artist, first.collection) == ('one/"a.ogg', "ann", "box")
    assert (first.role, first.robustness, first.mixed) == (Role.QUERY, True, False)
    assert (second.role, second.robustness, second.mixed) == (Role.OUT, False, True)


def test_clear_errors(tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    with pytest.raises(UsageError, match="No such file"):
        read_listing(file)
    file.write_text("album\ttrack\n")
    with pytest.raises(UsageError, match="lacks the columns artist_id, eval_role"):
        read_listing(file)
    file.write_text(HEADER + "one\ta.ogg\tbox\t60\tann\t0\tquery\t1\n")
    with pytest.raises(UsageError, match=r"list\.tsv:2: eval_role 'query' is none of q, d, -"):
        read_listing(file)
