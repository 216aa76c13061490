"""`mess evaluate` on a real library of real audio, through the real command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from mess_plugin import encoders
from mess_plugin.cli.evaluate import evaluate
from mess_plugin.errors import UsageError
from mess_plugin.library.index import index
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import open_store
from mess_plugin.store.files import SeenFile

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FILES = sorted((SAMPLES / "flare").glob("*.*")) + sorted((SAMPLES / "noiz2sa").glob("*.*"))


@pytest.fixture
def library(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Six sample files of two albums, indexed with the descriptors."""
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)
    monkeypatch.setenv("MESS_ENCODER", "descriptors")
    recipe = str(Recipe("descriptors", None, 5.0, 2.5))
    encoder = encoders.load("descriptors")
    with open_store(database_url) as store:
        for file in FILES:
            stat = file.stat()
            seen = SeenFile(str(file), stat.st_size, stat.st_mtime_ns)
            (job_id,) = store.jobs.enqueue([seen], recipe, uuid4()).job_ids
            job = store.jobs.start(job_id)
            assert job is not None
            assert index(store, job, encoder, limit_s=None).outcome == "encoded"
            store.jobs.finish(job_id, "encoded")
    return [str(file) for file in FILES]


def measured(*words: str) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    done = CliRunner().invoke(evaluate, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    systems: dict[str, dict[str, dict[str, dict[str, float]]]] = json.loads(done.stdout)["systems"]
    return systems


def test_every_task_is_measured(library: list[str]) -> None:
    (results,) = measured("--files", "2").values()
    assert results["album"]["MAP"]["n_queries"] == len(library)
    assert results["album"]["MAP"]["value"] > 0.5  # by chance about 0.5 of six, two albums of three
    assert results["mp3"]["R@1"]["value"] == 1
    assert results["halves"]["R@1"]["n_queries"] == 2
    assert results["section"]["song"]["n_queries"] == 6
    assert results["index, windows"]["recall@20"]["value"] == 1
    assert set(results) >= {"pitch", "faster", "slower", "pink", "low-pass", "gain"}


def test_it_says_how_long_it_takes_and_what_the_figures_say(library: list[str]) -> None:
    assert len(library) == 6
    words = ["--task", "tags", "--task", "sections", "--quick"]
    done = CliRunner().invoke(evaluate, words, catch_exceptions=False)
    assert done.exit_code == 0
    first = done.stderr.splitlines()[0]
    assert re.fullmatch(r"about \d+ (s|min): 6 tracks ask, \d files are changed", first)
    measured_rows, _, told = done.stdout.partition("what the figures say\n")
    for figure in ("album    MAP", "section  place"):
        assert figure in measured_rows
        assert " ".join(figure.split()) in told


def test_steps_are_laid_side_by_side(library: list[str]) -> None:
    assert len(library) == 6
    results = measured("--task", "tags", "--ablation")
    assert list(results) == ["song mean", "+ windows", "+ course"]


def test_the_users_own_labels(library: list[str], tmp_path: Path) -> None:
    groups = tmp_path / "groups.tsv"
    groups.write_text("".join(f"{path}\t{Path(path).parent.name}\n" for path in library))
    (results,) = measured("--labels", str(groups)).values()
    assert results["groups"]["MAP"]["n_queries"] == 6
    triplets = tmp_path / "triplets.tsv"
    triplets.write_text(f"{library[0]}\t{library[1]}\t{library[3]}\n")
    (results,) = measured("--labels", str(triplets), "--label-form", "triplets").values()
    assert results["triplets"]["agreement"]["n_queries"] == 1
    strangers = tmp_path / "strangers.tsv"
    strangers.write_text("/no/such.mp3\tx\n/nor/this.mp3\tx\n")
    with pytest.raises(UsageError, match="fewer than two of its paths are in the library"):
        measured("--labels", str(strangers))


def test_an_empty_library_is_told(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)
    with pytest.raises(UsageError, match=r"run `mess index FOLDER`"):
        measured()
