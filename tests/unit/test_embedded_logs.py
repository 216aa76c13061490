"""Logs are bounded, and say why."""

from __future__ import annotations

from pathlib import Path

from mess_plugin.embedded import logs
from mess_plugin.embedded.logs import Log, last_words_of


def test_a_log_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    log = Log(tmp_path / "noisy.log")
    line = b"x" * 2**16 + b"\n"
    for _ in range(8 * logs.LOG_BYTES // len(line)):
        log.write(line)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"noisy.log", "noisy.log.1", "noisy.log.2"}
    assert max(sizes.values()) <= logs.LOG_BYTES


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        log = Log(tmp_path / "kept.log")
        log.write(text)
        log.close()
    assert (tmp_path / "kept.log").read_text() == "one\ntwo\n"


def test_the_last_complaint_is_quoted(tmp_path: Path) -> None:
    log = Log(tmp_path / "words.log")
    log.write(b"FATAL:  an old story\n")
    log.forget()
    assert log.last_words() == ""
    log.write(b"LOG:  starting\nFATAL:  no spa")
    log.write(b"ce\nHINT:  buy some\nLOG:  database system is shut down\n")
    assert log.last_words() == "FATAL:  no space"
    assert last_words_of(tmp_path / "words.log") == "FATAL:  no space"
    assert last_words_of(tmp_path / "absent.log") == ""


def test_an_unwritable_log_stops_nobody(tmp_path: Path) -> None:
    log = Log(tmp_path / "absent" / "words.log")
    log.write(b"FATAL:  heard all the same\n")
    assert log.last_words() == "FATAL:  heard all the same"
