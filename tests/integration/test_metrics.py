"""A metric in the database: a space beside the others, used, followed by new tracks, and dropped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mess_plugin.analysis.pooling import unit
from mess_plugin.cli.metric import metric
from mess_plugin.errors import MessError
from mess_plugin.model import Float32, Level
from mess_plugin.search import search
from mess_plugin.spaces.refit import is_due, refit
from mess_plugin.spaces.vectors import project_into
from mess_plugin.store import open_store
from tests.stored_library import RECIPE, add_track, levels_of, raw_space, settings

N_GROUPS, EACH = 12, 4


def songs() -> Float32:
    """Groups that show in three quiet dimensions, beside four loud ones."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(N_GROUPS, 3)), EACH, axis=0)
    quiet = centres + 0.2 * rng.normal(size=(N_GROUPS * EACH, 3))
    loud, rest = 2 * rng.normal(size=(len(quiet), 4)), 0.2 * rng.normal(size=(len(quiet), 9))
    return unit(np.concatenate([quiet, loud, rest], axis=1).astype(np.float32))


def test_from_judgements_to_answers_and_back(  # noqa: PLR0915  one story, one library
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)
    monkeypatch.setenv("MESS_ENCODER", "descriptors")

    def run(*words: str) -> str:
        result = CliRunner().invoke(metric, words)
        if isinstance(result.exception, MessError):
            return str(result.exception)
        assert result.exception is None, result.exception
        return result.stdout + result.stderr

    with open_store(database_url) as store:
        base = raw_space(store)
        with store.transaction():
            ids = [
                add_track(store, base, f"/m/{n:03d}.ogg", levels_of(n, song=song))
                for n, song in enumerate(songs())
            ]
        ask = settings(tmp_path, database_url=database_url)
        before = search(store, ask, str(ids[0]), k=3)
        lines = [
            f"{ids[i]}\t{ids[j]}"
            for i in range(len(ids))
            for j in range(i)
            if i // EACH == j // EACH
        ]
        pairs = tmp_path / "pairs.tsv"
        pairs.write_text("\n".join(lines))
        (tmp_path / "few.tsv").write_text(lines[0])
        wrong = [f"{a}\t{b}" for a, b in np.random.default_rng(1).permutation(ids).reshape(-1, 2)]
        (tmp_path / "chance.tsv").write_text("\n".join(wrong))

        assert "at least" in run("fit", str(tmp_path / "few.tsv"), "--name", "few")
        assert "does not help" in run("fit", str(tmp_path / "chance.tsv"), "--name", "chance")
        assert json.loads(run("list", "--json")) == []
        fitted = json.loads(run("fit", str(pairs), "--name", "mine", "--json"))
        assert fitted["helps"]
        assert fitted["fitted_right"] > fitted["plain_right"] + 0.1
        assert "already" in run("fit", str(pairs), "--name", "mine")

        assert search(store, ask, str(ids[0]), k=3).space == before.space  # not chosen yet
        run("use", "mine")
        after = search(store, ask, str(ids[0]), k=3)
        assert after.space.projection.startswith("metric-mine-")
        (own,) = store.metrics.all()
        plain = store.spaces.plain(RECIPE)
        assert plain == base

        def groups_right(space_vectors: Float32) -> int:
            cosines = space_vectors @ space_vectors.T - 2 * np.eye(len(ids))
            return sum(int(row.argmax()) // EACH == n // EACH for n, row in enumerate(cosines))

        vectors = [
            np.stack([store.embeddings.of_track(s, Level.SONG, i).vectors[0] for i in ids])
            for s in (base, own.space)
        ]
        assert groups_right(vectors[1]) > groups_right(vectors[0]) + 5
        windows = [
            store.embeddings.of_track(s, Level.WINDOW, ids[0]).vectors for s in (base, own.space)
        ]
        np.testing.assert_allclose(windows[0], windows[1], atol=2e-3)  # places are found as before

        levels = levels_of(900)
        assert own.space in store.spaces.projected(base)  # new tracks enter it
        assert set(project_into(store, own.space, levels)) == set(Level)
        assert not is_due(store, RECIPE)  # 48 tracks: the metric does not count as a fit
        assert refit(store, RECIPE, force=True) is None
        with store.transaction():
            for n in range(20):
                add_track(store, base, f"/more/{n}.ogg", levels_of(100 + n))
        projected = refit(store, RECIPE)
        assert projected is not None
        assert store.spaces.plain(RECIPE) == projected
        assert search(store, ask, str(ids[0]), k=3).space == own.space  # a refit leaves it alone

        run("use", "plain")
        assert search(store, ask, str(ids[0]), k=3).space == projected
        again = json.loads(run("fit", str(pairs), "--name", "second", "--json"))
        assert "helps" in again
        assert "did you mean 'mine'" in run("use", "mime")
        run("use", "mine")
        run("drop", "mine")
        assert "mine" not in {one.name for one in store.metrics.all()}
        assert search(store, ask, str(ids[0]), k=3).space == projected
