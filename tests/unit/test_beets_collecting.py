from __future__ import annotations

from mess_integrations.beets.events import PathChanges


def test_a_reimport_is_a_touch() -> None:
    collector = PathChanges()
    collector.remove(b"/m/a")
    collector.move(b"/m/a", b"/m/a")
    collector.touch(b"/m/a")
    assert collector.take() == (("/m/a",), (), ())


def test_moves_in_a_row_are_one_move() -> None:
    collector = PathChanges()
    collector.touch(b"/m/a")
    collector.move(b"/m/a", b"/m/b")
    collector.move(b"/m/b", b"/m/c")
    assert collector.take() == (("/m/c",), (("/m/a", "/m/c"),), ())


def test_there_and_back_is_a_touch() -> None:
    collector = PathChanges()
    collector.move(b"/m/a", b"/m/b")
    collector.move(b"/m/b", b"/m/a")
    assert collector.take() == (("/m/a",), (), ())


def test_taking_starts_afresh() -> None:
    collector = PathChanges()
    collector.remove(b"/m/caf\xe9")
    assert len(collector) == 1
    assert collector.take() == ((), (), ("/m/caf\udce9",))
    assert len(collector) == 0
