"""Duplicates of real files: found by ear, kept as links, left out of answers, taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mess_plugin.cli.duplicates import duplicates
from mess_plugin.cli.vectors import export
from mess_plugin.config import Settings
from mess_plugin.duplicates.finding import find
from mess_plugin.errors import UsageError
from mess_plugin.facets import Facet
from mess_plugin.playlists.radio import radio
from mess_plugin.search import search
from mess_plugin.search.engine import answering_space
from mess_plugin.search.query import Filters, Query, Range
from mess_plugin.store import Store, open_store
from tests.steering_library import SAMPLES, index_files, settings_for

NEBULA = SAMPLES / "endgame-singularity" / "maxstack-nebula.opus"
OTHERS = [
    SAMPLES / "endgame-singularity" / "maxstack-a-new-journey.opus",
    SAMPLES / "endgame-singularity" / "maxstack-through-space.m4a",
    SAMPLES / "noiz2sa" / "kenta-cho-stage-0.opus",
    SAMPLES / "noiz2sa" / "kenta-cho-stage-1.opus",
    SAMPLES / "noiz2sa" / "kenta-cho-stage-3.mp3",
]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


def ffmpeg(source: Path, target: Path, *options: str) -> Path:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", source, "-map_metadata", "-1", *options, target], check=True
    )
    return target


def test_from_finding_to_unlinking(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(database_url, tmp_path)
    small = ffmpeg(NEBULA, tmp_path / "small.mp3", "-b:a", "64k", "-af", "volume=-9dB")
    faster = ffmpeg(NEBULA, tmp_path / "faster.flac", "-af", "atempo=1.06")
    index_files(store, settings, [NEBULA, small, faster, *OTHERS])
    space = answering_space(store, settings)
    by_path = {track.path: i for i, track in store.library.get(range(1, 20)).items()}
    original, copy, altered = (by_path[str(path)] for path in (NEBULA, small, faster))

    looked = dict(find(store, settings, space))
    assert len(looked) == 8
    kinds = {(link.one_id, link.other_id): link.kind for link in store.duplicates.all()}
    one, two, three = sorted((original, copy, altered))
    assert set(kinds) == {(one, two), (one, three), (two, three)}  # and none of the same album
    same, other = sorted((original, copy)), sorted((original, altered))
    assert kinds[same[0], same[1]] == "same"
    assert kinds[other[0], other[1]] == "altered"
    assert dict(find(store, settings, space)) == {}  # nobody is looked at twice

    def answers(**words: str) -> list[int]:
        found = search(store, settings, [str(original)], Query(**words), k=7)  # type: ignore[arg-type]
        return [match.track.id for match in found.matches]

    assert not {copy, altered} & set(answers())
    assert set(answers(duplicates="show")[:2]) == {copy, altered}
    assert not {copy, altered} & {
        match.track.id for match in search(store, settings, str(original), k=7).matches
    }
    plain = search(store, settings, str(original), Query(duplicates="show"), k=7)
    assert {match.track.id for match in plain.matches[:2]} == {copy, altered}
    played = [track.id for track in radio(store, settings, [str(original)], Query())]
    assert len(played) == 5
    assert not {original, copy, altered} & set(played)
    shown = radio(store, settings, [str(original)], Query(duplicates="show"))
    assert {copy, altered} <= {track.id for track in shown}
    stage = search(store, settings, str(by_path[str(OTHERS[2])]), k=7)
    assert len({original, copy, altered} & {match.track.id for match in stage.matches}) == 1

    _check_blending(store, settings, original, by_path, tmp_path / "scores.tsv")
    run = _runner(database_url, tmp_path, monkeypatch)
    _check_attributes(store, settings, original, tmp_path / "heard.npz")
    run("reject", str(small), str(NEBULA))
    assert copy in answers()
    assert dict(find(store, settings, space, again=True)).keys() == looked.keys()
    assert copy in answers()  # what a person said stays
    run("confirm", str(faster), str(OTHERS[0]), "--kind", "live")
    listed = json.loads(run("list", "--json"))
    assert {(one["kind"], one["state"]) for one in listed} == {
        ("altered", "found"),
        ("live", "confirmed"),
    }
    assert len(json.loads(run("list", "--rejected", "--json"))) == 1
    run("unlink", str(faster), str(OTHERS[0]))
    run("unlink", str(small), str(NEBULA))
    failed = run("unlink", str(small), str(NEBULA), code=2)
    assert "are not linked" in failed
    assert "same track" in run("confirm", str(NEBULA), str(original), code=2)
    assert json.loads(run("find", "--again", "--json", "--encoder", "descriptors"))["links"] == 3


def _check_blending(
    store: Store, settings: Settings, seed: int, by_path: dict[str | None, int], file: Path
) -> None:
    """Scores of a file make up their share of the score, and say so; the library is at hand here."""
    file.write_text(
        f"# mine\n{OTHERS[4]}\t10\nmess:{by_path[str(OTHERS[3])]}\t5\n/nowhere.mp3\t3\n"
    )
    found = search(store, settings, [str(seed)], Query(blend={str(file): 0.5}), k=7).matches
    added = {}
    for match in found:
        parts = [one for one in match.reasons if one.kind not in ("section", "tempo", "key")]
        assert sum(one.value for one in parts) == pytest.approx(match.score, abs=1e-5)
        (blended,) = [one for one in parts if one.kind == "blend"]
        added[match.track.path] = blended.value
        assert blended.text.startswith("scores.tsv")
    assert added[str(OTHERS[4])] == pytest.approx(0.5)
    assert added[str(OTHERS[3])] == pytest.approx(0.25)
    assert added[str(OTHERS[0])] == 0.0
    assert found[0].track.path == str(OTHERS[4])
    with pytest.raises(UsageError, match="no plays are known"):
        search(store, settings, [str(seed)], Query(blend={"plays": 0.5}))
    file.write_text("/nowhere.mp3\t3\n")
    with pytest.raises(UsageError, match="scores no track of the library"):
        search(store, settings, [str(seed)], Query(blend={str(file): 0.5}))


def _check_attributes(store: Store, settings: Settings, seed: int, out: Path) -> None:
    """Attributes filter, are kept, and are handed to other programs."""
    everything = list(store.library.get(range(1, 20)))
    measured = {i: one for i, (one, _) in store.facets.measures(everything).items()}
    bright = sorted(measured[i].brightness or 0.0 for i in everything)[-3]
    filters = Filters(brightness=Range(bright, None))
    found = search(store, settings, [str(seed)], Query(filters=filters, duplicates="show"), k=7)
    assert {match.track.id for match in found.matches} == {
        i for i in everything if (measured[i].brightness or 0.0) >= bright and i != seed
    }
    for what, column in (("measures", "brightness"), ("facets", "harmony")):
        result = CliRunner().invoke(export, ["--what", what, "--out", str(out)])
        assert result.exception is None, result.exception
        with np.load(out) as columns:
            assert sorted(columns["ids"].tolist()) == sorted(everything)
            assert len(columns[column]) == len(columns["paths"]) == len(everything)
            if what == "measures":
                row = columns["ids"].tolist().index(seed)
                assert columns[column][row] == pytest.approx(measured[seed].brightness)
            else:
                own = store.facets.of_tracks(Facet.HARMONY, [seed])[seed]
                row = columns["ids"].tolist().index(seed)
                np.testing.assert_array_equal(columns[column][row], own)
    _check_export(out)


def _check_export(arrays: Path) -> None:
    """Parquet holds the vectors that npz holds, and says whose they are."""
    table = arrays.with_suffix(".parquet")
    for out in (arrays, table):
        words = ["--level", "section", "--encoder", "descriptors", "--out", str(out)]
        result = CliRunner().invoke(export, words)
        assert result.exception is None, result.exception
    rows = parquet.read_table(table)
    with np.load(arrays) as columns:
        assert len(columns["paths"]) > 8
        assert rows["path"].to_pylist() == columns["paths"].tolist()
        for name in ("start_s", "end_s"):
            assert rows[name].to_pylist() == columns[name].tolist()
        np.testing.assert_array_equal(np.array(rows["vector"].to_pylist()), columns["vectors"])
    assert rows.schema.metadata[b"encoder"] == b"descriptors"


def _runner(database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("MESS_HOME", str(home))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(duplicates, words)
        if code:
            assert getattr(result.exception, "exit_code", None) == code
            return str(result.exception)
        assert result.exception is None, result.exception
        return result.stdout

    return run
