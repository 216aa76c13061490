"""The main job, as a newcomer meets it: a folder of music, one command, similar songs and sections."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.conftest import SAMPLES, Mess

# The first one waits for an environment with all packages, which a busy machine makes in minutes.
pytestmark = pytest.mark.timeout(1200)

N_SAMPLES = 24
HALF = 12


def test_index_then_similar_songs(with_samples: Mess) -> None:
    answer = with_samples.json("similar", "nebula", "--k", "5")
    assert answer["query"]["path"].endswith("maxstack-nebula.opus")
    assert [match["rank"] for match in answer["matches"]] == [1, 2, 3, 4, 5]
    scores = [match["score"] for match in answer["matches"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert answer["query"]["path"] not in {match["track"]["path"] for match in answer["matches"]}


def test_the_same_artist_is_found_more_often_than_by_chance(with_samples: Mess) -> None:
    right = asked = 0
    for path in sorted(SAMPLES.glob("*/*.*")):
        artist = path.name.split("-")[0]
        if len(list(path.parent.glob(f"{artist}*"))) < 3:
            continue
        (match,) = with_samples.json("similar", path, "--k", "1")["matches"]
        asked += 1
        right += Path(match["track"]["path"]).parent == path.parent
    assert asked >= HALF
    assert right / asked >= 0.5  # by chance it would be about 0.1


def test_a_path_and_an_id_give_the_same_answer(with_samples: Mess) -> None:
    path = SAMPLES / "widelands" / "stuart-marshall-hypatias-theme.opus"
    by_path = with_samples.json("similar", path)
    (track_id,) = {
        match["track"]["id"]
        for match in with_samples.json("similar", "nebula", "--k", "1000")["matches"]
        if match["track"]["path"] == str(path)
    }
    by_id = with_samples.json("similar", str(track_id))
    assert by_path["matches"] == by_id["matches"]


def test_a_section_finds_sections(with_samples: Mess) -> None:
    answer = with_samples.json("similar", "farewell", "--start", "40", "--end", "55")
    assert answer["query"]["start_s"] == 40
    for match in answer["matches"]:
        section = match["match_section"]
        assert 0 <= section["start_s"] < section["end_s"] <= match["track"]["duration_s"] + 0.1
        assert match["query_section"] == {"start_s": 40.0, "end_s": 55.0}


def test_a_file_outside_the_library_is_heard_and_not_stored(
    with_samples: Mess, tmp_path: Path
) -> None:
    stranger = tmp_path / "excerpt.wav"
    _cut(SAMPLES / "angelic-asylum" / "obsidian-shell-farewell.opus", stranger, 3, 57)
    before = with_samples.json("status")["library"]
    answer = with_samples.json("similar", stranger, "--k", "1")
    assert answer["matches"][0]["track"]["title"] == "Farewell"
    assert with_samples.json("status")["library"] == before


def test_indexing_again_encodes_nothing(with_samples: Mess) -> None:
    done = with_samples.json("index", SAMPLES)
    assert (done["encoded"], done["unchanged"], done["failed"]) == (0, N_SAMPLES, 0)


def test_vectors_leave_as_arrays(with_samples: Mess, tmp_path: Path) -> None:
    out = tmp_path / "windows.npz"
    with_samples("export", "--level", "window", "--out", out)
    arrays = np.load(out)
    n = len(arrays["paths"])
    assert arrays["vectors"].shape[0] == n == len(arrays["start_s"]) == len(arrays["end_s"])
    assert arrays["vectors"].dtype == np.float32
    assert np.allclose(np.linalg.norm(arrays["vectors"], axis=1), 1, atol=2e-3)
    file = SAMPLES / "noiz2sa" / "kenta-cho-stage-3.mp3"
    with_samples("embed", file, "--level", "section", "--out", out)
    assert set(np.load(out)["paths"]) == {str(file)}


def test_a_playlist_and_quiet_json(with_samples: Mess, tmp_path: Path) -> None:
    playlist = tmp_path / "feel.m3u8"
    with_samples.json("similar", "nebula", "--k", "3", "--m3u", playlist)
    lines = playlist.read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert sum(not line.startswith("#") for line in lines) == 3


def test_a_question_loads_neither_torch_nor_celery(with_samples: Mess) -> None:
    code = (
        "import sys; from mess_plugin.cli import main; sys.argv = ['mess', 'similar', 'nebula']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'celery', 'transformers', 'av', 'kombu'} & set(sys.modules)))"
    )
    python = with_samples.program.with_name("python")
    done = subprocess.run(
        [python, "-c", code],
        env=with_samples.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("[]\n")


def test_a_broken_file_becomes_a_row_with_its_reason(mess: Mess, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    shutil.copy(SAMPLES / "noiz2sa" / "kenta-cho-stage-0.opus", music)
    (music / "broken.mp3").write_bytes(os.urandom(20_000))
    (music / "empty.flac").touch()
    done = mess.json("index", music)
    assert (done["encoded"], done["failed"]) == (1, 2)
    failures = {Path(one["path"]).name: one for one in mess.json("failures")}
    assert failures["empty.flac"]["kind"] == "empty"
    assert failures["broken.mp3"]["reason"]
    again = mess.json("index", music)
    assert (again["encoded"], again["unchanged"], again["failed"]) == (0, 1, 2)


def test_renaming_retagging_and_copies_encode_nothing(mess: Mess, tmp_path: Path) -> None:
    import mutagen

    music = tmp_path / "music"
    music.mkdir()
    first = music / "a.opus"
    shutil.copy(SAMPLES / "noiz2sa" / "kenta-cho-stage-0.opus", first)
    assert mess.json("index", music)["encoded"] == 1
    shutil.copy(first, music / "copy.opus")
    renamed = first.rename(music / "b.opus")
    tags = mutagen.File(renamed)
    tags["title"] = "Another Name"
    tags.save()
    done = mess.json("index", music)
    assert (done["indexed"], done["encoded"], done["forgotten"]) == (2, 0, 1)
    assert mess.json("status")["library"]["tracks"] == 1
    assert mess.json("status")["library"]["files"] == 2


def test_interrupting_and_resuming(mess: Mess) -> None:
    running = mess.start("index", SAMPLES)
    _wait_for_some(mess)
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert "run the same command again" in errors
    done = mess.json("index", SAMPLES)
    assert done["unchanged"] > 0
    assert done["unchanged"] + done["encoded"] == N_SAMPLES


def test_killed_outright_nothing_is_lost_or_double(mess: Mess) -> None:
    running = mess.start("index", SAMPLES)
    _wait_for_some(mess)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=60)
    done = mess.json("index", SAMPLES)
    assert done["failed"] == 0
    library = mess.json("status")["library"]
    assert (library["tracks"], library["files"]) == (N_SAMPLES, N_SAMPLES)


def test_up_keeps_a_worker_and_down_stops_it(mess: Mess) -> None:
    mess("up")
    services = mess.json("status")["services"]
    assert services["worker"]["phase"] == "running"
    assert mess.json("index", SAMPLES / "flare")["encoded"] == 3
    assert mess.json("doctor")["ok"]
    mess("down")
    assert mess.json("status")["services"] == {}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["index", "/no/such/folder"], 2, "no such file"),
        (["index", "."], 2, "no audio files"),
        (["index", "--encoder", "descriptor", "."], 2, "did you mean 'descriptors'"),
        (["similar", "x"], 2, "nothing is indexed"),
        (["similar"], 2, "Missing argument"),
        (["similar", "x", "--k", "0"], 2, "wanted 1 to"),
        (["forget", "/no/such/file"], 2, "knows nothing"),
        (["export", "--out", "x.txt"], 2, "ends in .npz or .parquet"),
        (["export", "--out", "x.parquet"], 2, "pip install 'mess-plugin[parquet]'"),
        (["embed", "/no/such.mp3", "--out", "x.npz"], 2, "none of the files"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_bad_usage_is_one_clear_line(mess: Mess, words: list[str], code: int, message: str) -> None:
    _, errors = mess(*words, code=code)
    assert message in errors


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MESS_DATABASE_URL": "postgresql://user:hidden@127.0.0.1:9/mess"}, "does not answer"),
        ({"MESS_BROKER_URL": "redis://127.0.0.1:9/0"}, "MESS_BROKER_URL"),
        ({"MESS_WINDOW_S": "none"}, "window_s"),
        ({"MESS_ENCODER": "ears"}, "unknown encoder 'ears'"),
    ],
)
def test_bad_surroundings_are_one_clear_line(
    mess: Mess, variables: dict[str, str], message: str
) -> None:
    code = 1 if "URL" in next(iter(variables)) else 2
    _, errors = mess("index", SAMPLES / "flare", code=code, **variables)
    assert message in errors
    assert "hidden" not in errors


def test_the_install_stays_light(installed: Path, wheel: Path) -> None:
    packages = next((installed / "lib").glob("python*/site-packages"))
    size_mb = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) / 1e6
    assert size_mb < 400
    assert wheel.stat().st_size < 25e6
    assert not (packages / "torch").exists()


def _wait_for_some(mess: Mess) -> None:
    """Until a few files are in, so that an interruption comes in the middle of the work."""
    deadline_s = time.monotonic() + 60
    while mess.json("status")["library"]["tracks"] < 3:
        assert time.monotonic() < deadline_s


def _cut(source: Path, target: Path, start_s: float, end_s: float) -> None:
    code = (
        "import sys, numpy as np, wave; from pathlib import Path\n"
        "from mess_plugin import audio; from mess_plugin.model import Interval\n"
        f"cut = Interval({start_s}, {end_s})\n"
        "with audio.decode(Path(sys.argv[1]), 24000, interval=cut) as sound:\n"
        "    samples = np.concatenate(list(sound))\n"
        "with wave.open(sys.argv[2], 'wb') as out:\n"
        "    out.setnchannels(1); out.setsampwidth(2); out.setframerate(24000)\n"
        "    out.writeframes((samples * 32767).astype('<i2').tobytes())\n"
    )
    subprocess.run([sys.executable, "-c", code, source, target], check=True)
