"""What accounts of a player did, in the database, until it is a listener's evidence."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mess_plugin.cli.taste import taste
from mess_plugin.errors import MessError
from mess_plugin.search.feedback import evidence_of
from mess_plugin.store import open_store
from mess_plugin.store.inbox import Feedback
from tests.stored_library import add_track, levels_of, raw_space

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
ANNA, BERT = "a" * 32, "b" * 32


def test_from_webhooks_to_evidence_and_back(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)

    def run(*words: str) -> str:
        result = CliRunner().invoke(taste, words)
        if isinstance(result.exception, MessError):
            return str(result.exception)
        assert result.exception is None, result.exception
        return result.stdout

    with open_store(database_url) as store, psycopg.connect(database_url, autocommit=True) as raw:
        space = raw_space(store)
        ids = [add_track(store, space, f"/m/{n}.ogg", levels_of(n, 180.0)) for n in range(3)]

        def did(account: str, n: int, minute: float, kind: str, value: float) -> None:
            at = BEGUN + timedelta(minutes=minute)
            digest = f"{account}{n}{minute}{kind}".encode()
            store.inbox.save_feedback(
                Feedback("jellyfin", digest, account, f"item {n}", kind, value, at)
            )
            raw.execute("UPDATE feedback SET track_id = %s WHERE item = %s", [ids[n], f"item {n}"])

        did(ANNA, 0, 3, "play", 1.0)
        did(ANNA, 1, 6, "play", 1.0)
        did(ANNA, 2, 6.2, "play", 0.05)
        did(BERT, 2, 7, "favourite", 1.0)
        assert evidence_of(store, "me") == ()
        assert len(evidence_of(store, ANNA)) == 3  # an account is a listener of its own name

        listed = json.loads(run("accounts", "--json"))
        assert [(one["account"], one["n_acts"], one["listener"]) for one in listed] == [
            (ANNA, 3, None),
            (BERT, 1, None),
        ]
        run("join", ANNA)
        store.verdicts.save("me", ids[0], ids[1], "dislike")
        found = evidence_of(store, "me")
        assert [(one.track_id, one.seed_id, one.worth, one.source) for one in found] == [
            (ids[0], None, 0.5, "play"),
            (ids[2], ids[1], -0.5, "play"),
            (ids[1], ids[0], -1.0, "verdict"),  # outweighs that it was heard to the end
        ]
        assert evidence_of(store, ANNA) == ()  # it is somebody's now
        shown = json.loads(run("show", "--json", "--encoder", "descriptors"))
        assert shown["sources"] == {"play": 2, "verdict": 1}
        assert shown["on"] is False
        assert (
            json.loads(run("export"))["taste"] is None
        )  # nothing is heard with the default encoder
        document = json.loads(run("export", "--encoder", "descriptors"))
        assert document["taste"] == shown
        exported = document["evidence"]
        assert [one["source"] for one in exported] == ["play", "play", "verdict"]
        assert exported[0]["for"] is None

        run("reset")
        assert evidence_of(store, "me") == ()
        did(ANNA, 1, 60 * 24 * 3000, "favourite", 1.0)  # after the reset
        assert [one.source for one in evidence_of(store, "me")] == ["favourite"]
        run("join", ANNA, "--listener", "anna")
        assert len(evidence_of(store, "anna")) == 4  # another listener starts with all of it
        run("leave", ANNA)
        assert "nobody's" in run("leave", ANNA)
        assert "unknown account" in run("join", "nobody")
        assert evidence_of(store, "anna") == ()
