"""What the OSC server answers, over real sockets, with a real database and real music."""

from __future__ import annotations

import time
import wave
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mess_plugin import audio
from mess_plugin.config import Settings
from mess_plugin.store import open_store
from mess_plugin.store.hosts import HostItem, Identified
from tests.audio_files import write_audio
from tests.osc_library import ASYLUM, INDEXED, NOIZ
from tests.osc_peer import Client, rows, server


def _track_ref(client: Client, path: Path) -> str:
    found = rows(client.ask("/mess/lookup/track", "r", "mess:1", 0.0, 0.0, "k", 20))
    for row in found:
        if row[9] == str(path):
            return str(row[6])
    return "mess:1"


def test_ping(osc_client: Client) -> None:
    osc_client.send("/mess/ping")
    pong = osc_client.receive()
    assert pong.address == "/mess/pong"
    assert pong.params[1] == 1


def test_a_stretch_of_an_indexed_file(osc_client: Client) -> None:
    path = str(ASYLUM[0])
    found = osc_client.ask("/mess/lookup/file", "x", path, 5.0, 15.0, "k", 4)
    assert [one.address for one in found] == [
        "/mess/lookup/ack", *["/mess/lookup/match"] * 4, "/mess/lookup/done",
    ]  # fmt: skip
    matches = rows(found)
    assert [row[1] for row in matches] == [1, 2, 3, 4]
    scores = [float(str(row[3])) for row in matches]
    assert scores == sorted(scores, reverse=True)
    for row in matches:
        assert row[0] == "x"
        assert row[2] == 4
        assert 9.0 < float(str(row[5])) - float(str(row[4])) < 11.0
        assert row[9] != path
        assert Path(str(row[9])) in INDEXED
    assert found[-1].params[:2] == ["x", 4]


def test_a_track_by_id_and_by_words(osc_client: Client) -> None:
    by_words = osc_client.ask("/mess/lookup/track", "w", "farewell obsidian", 0.0, 0.0, "k", 3)
    assert len(rows(by_words)) == 3
    ref = _track_ref(osc_client, ASYLUM[1])
    assert rows(osc_client.ask("/mess/lookup/track", "i", ref, 0.0, 0.0, "k", 3))


def test_a_track_by_an_id_of_jellyfin(osc_client: Client, osc_settings: Settings) -> None:
    heard, unheard = "0" * 31 + "1", "0" * 31 + "2"
    with open_store(osc_settings.database_url or "") as store:
        track = store.library.find_path(str(ASYLUM[1]))
        assert track is not None
        number = store.hosts.begin("a-server", fresh=True, resume_s=1).number
        items = [HostItem(heard, "a", None, None), HostItem(unheard, "b", None, None)]
        store.hosts.save("a-server", number, items)
        store.hosts.match(
            "a-server",
            [
                Identified(items[0], track[0], "path"),
                Identified(items[1], unmatched="no-path: Jellyfin gives neither"),
            ],
        )
    dashed = "00000000-0000-0000-0000-000000000001"
    found = rows(osc_client.ask("/mess/lookup/track", "j", f"jellyfin:{dashed}", 0.0, 0.0, "k", 9))
    assert {row[9] for row in found} == {str(path) for path in INDEXED} - {str(ASYLUM[1])}
    for ref, reason in (
        (f"jellyfin:{unheard}", "no-path: Jellyfin gives neither"),
        (f"jellyfin:{'f' * 32}", "run `mess jellyfin sync`"),
        ("beets:12", "send the path"),
    ):
        error = osc_client.ask("/mess/lookup/track", "j", ref, 0.0, 0.0)[-1]
        assert (error.address, error.params[2]) == ("/mess/error", 404)
        assert reason in error.params[3]


def test_the_whole_song_and_its_sections(osc_client: Client) -> None:
    path = str(NOIZ[0])
    songs = rows(osc_client.ask("/mess/lookup/file", "a", path, 0.0, 0.0))
    sections = rows(osc_client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "scope", "section"))
    assert len(songs) == len(sections) == len(INDEXED) - 1
    refused = osc_client.ask("/mess/lookup/file", "a", path, 1.0, 9.0, "scope", "song")
    assert refused[-1].params[2] == 400


def test_excluded_artists_and_albums_and_low_scores_stay_away(osc_client: Client) -> None:
    path = str(ASYLUM[0])
    plain = rows(osc_client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "k", 20))
    own_artist = next(str(row[7]) for row in plain if "angelic" in str(row[9]))
    others = rows(
        osc_client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "k", 3, "exclude", "artist")
    )
    assert len(others) == 3
    assert own_artist not in {row[7] for row in others}
    best = float(str(plain[0][3]))
    few = rows(osc_client.ask("/mess/lookup/file", "a", path, 0.0, 0.0, "minscore", best - 1e-4))
    assert [row[6] for row in few] == [plain[0][6]]


@pytest.fixture(scope="module")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Path]:
    """Ten seconds from the middle of an indexed file as they are, and slightly noisy in a file.

    The file lies where only the setting roots allows it to be opened.
    """
    with audio.decode(ASYLUM[0], 44100) as decoding:
        sound = np.concatenate(list(decoding))
    rng = np.random.default_rng(1)
    noisy = sound + rng.normal(0, 1e-3, len(sound)).astype(np.float32)
    path = tmp_path_factory.mktemp("projects") / "mix.wav"
    write_audio(path, noisy[None], 44100)
    return sound[44100 * 10 : 44100 * 20], path


def test_a_stretch_of_an_unindexed_file_finds_its_origin(
    osc_settings: Settings,
    excerpt: tuple[np.ndarray, Path],
) -> None:
    path = excerpt[1]
    with server(msgspec.structs.replace(osc_settings, roots=str(path.parent))) as address:
        client = Client(address)
        found = client.ask("/mess/lookup/file", "x", str(path), 10.0, 20.0, "k", 3)
        best = rows(found)[0]
        assert best[9] == str(ASYLUM[0])
        assert float(str(best[3])) > 0.9
        assert abs(float(str(best[4])) - 10.0) < 1.5
        short = client.ask("/mess/lookup/file", "s", str(path), 10.0, 10.5, "k", 3)
        assert rows(short)
        beyond = client.ask("/mess/lookup/file", "s", str(path), 500.0, 510.0)
        assert beyond[-1].params[2] == 400
        assert "ends before" in str(beyond[-1].params[3])
        client.close()


def test_an_upload_finds_its_origin(
    osc_client: Client,
    excerpt: tuple[np.ndarray, Path],
) -> None:
    sound = excerpt[0].astype("<f4").tobytes()
    osc_client.send("/mess/lookup/begin", "u", 44100, 1, len(sound), "f32le")
    size = int(osc_client.until("/mess/lookup/ready")[-1].params[1])
    blocks = [sound[at : at + size] for at in range(0, len(sound), size)]
    for number, block in enumerate(blocks):
        if number != 7:
            osc_client.send("/mess/lookup/data", "u", number, block)
        if number % 50 == 0:
            time.sleep(0.005)
    found = osc_client.ask("/mess/lookup/commit", "u", len(blocks), "k", 2)
    assert found[-1].params[2] == 409
    for missing in map(int, str(found[-1].params[3]).rpartition(": ")[2].split()):
        osc_client.send("/mess/lookup/data", "u", missing, blocks[missing])
    best = rows(osc_client.ask("/mess/lookup/commit", "u", len(blocks), "k", 2))[0]
    assert best[9] == str(ASYLUM[0])
    assert abs(float(str(best[4])) - 10.0) < 1.5


def test_a_new_request_replaces_the_one_with_its_id(osc_client: Client) -> None:
    for number in range(20):
        osc_client.send("/mess/lookup/file", "same", str(INDEXED[number % 7]), 0.0, 10.0, "k", 2)
    seen = osc_client.until("/mess/lookup/done")
    time.sleep(0.5)
    last = str(INDEXED[19 % 7])
    while not osc_client.is_silent(0.3):
        pass
    done = [one for one in seen if one.address == "/mess/lookup/done"]
    assert len(done) == 1
    assert seen[-1].address == "/mess/lookup/done"
    assert last not in {row[9] for row in rows(seen)}
    assert all(row[1] in (1, 2) for row in rows(seen))


def test_two_ids_are_answered_both(osc_client: Client) -> None:
    osc_client.send("/mess/lookup/file", "a", str(ASYLUM[0]), 0.0, 10.0, "k", 2)
    osc_client.send("/mess/lookup/file", "b", str(ASYLUM[1]), 0.0, 10.0, "k", 2)
    found = osc_client.until("/mess/lookup/done") + osc_client.until("/mess/lookup/done")
    assert {row[0] for row in rows(found)} == {"a", "b"}


def test_cancel(osc_client: Client) -> None:
    osc_client.send("/mess/lookup/file", "c", str(ASYLUM[0]), 0.0, 10.0)
    osc_client.send("/mess/cancel", "c")
    found = osc_client.until("/mess/lookup/cancelled")
    assert not rows(found)
    assert osc_client.is_silent(1.0)
    osc_client.send("/mess/cancel", "c")
    assert osc_client.receive().params[2] == 404


def test_status_and_cancelled_nothing(osc_client: Client) -> None:
    osc_client.send("/mess/status")
    library = osc_client.until("/mess/library")[-1].params
    assert library[:2] == [len(INDEXED), len(INDEXED)]
    assert library[3] == "descriptors" or library[3]


def test_options_of_a_query_narrow_the_answers(osc_client: Client) -> None:
    asked = ("/mess/lookup/file", "a", str(ASYLUM[0]), 5.0, 15.0, "k", 6)
    plain = rows(osc_client.ask(*asked))
    rhythm = rows(osc_client.ask(*asked, "only", "rhythm"))
    assert [row[3] for row in rhythm] != [row[3] for row in plain]
    one_each = rows(osc_client.ask(*asked, "per_artist", 1.0))
    artists = [row[7] for row in one_each if row[7]]
    assert len(artists) == len(set(artists)) < len([row for row in plain if row[7]])
    for key, value, says in (
        ("tempo", "fast", "fast"), ("only", "loudness", "loudness"), ("per_artist", 0, "per_artist"),
        ("against", "x", "unknown key 'against'"), ("blend", "plays=1", "unknown key 'blend'"),
    ):  # fmt: skip
        error = osc_client.ask(*asked, key, value)[-1].params
        assert error[2] == 400
        assert says in str(error[3])


def test_a_stretch_of_a_track_as_a_file(osc_client: Client, osc_settings: Settings) -> None:
    best = rows(osc_client.ask("/mess/lookup/file", "a", str(ASYLUM[0]), 5.0, 15.0, "k", 1))[0]
    osc_client.send("/mess/excerpt", "e", best[6], best[4], best[5])
    ready = osc_client.until("/mess/excerpt/ready")[-1].params
    path = Path(str(ready[1]))
    assert ready[0] == "e"
    assert path.parent == osc_settings.home / "excerpts"
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert abs(seconds - (float(str(best[5])) - float(str(best[4])))) < 0.01
    osc_client.send("/mess/excerpt", "e", "mess:999999", 0.0, 1.0)
    assert osc_client.until("/mess/error")[-1].params[:3] == ["e", "/mess/excerpt", 404]
    osc_client.send("/mess/excerpt", "e", best[6], 90_000.0, 90_001.0)
    assert "ends before" in str(osc_client.until("/mess/error")[-1].params[3])
