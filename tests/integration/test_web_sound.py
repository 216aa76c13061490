"""Listening over HTTP: ranges of files, sound encoded anew, waveforms, suggestions, sections."""

from __future__ import annotations

import base64
import io
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from msgspec.structs import replace

from mess_integrations.web.kept_sounds import KeptSounds
from mess_integrations.web.transcoding import FORMS, transcoded
from mess_plugin.audio.peaks import N_PEAKS, peaks_of
from mess_plugin.config import Settings
from mess_plugin.errors import AudioError
from mess_plugin.model import Tags
from mess_plugin.store import open_store
from tests.audio_files import CODECS, noise, tone, write_audio
from tests.http_client import TOKEN, Client, Eventually, serving
from tests.stored_library import add_track, levels_of, raw_space
from tests.stored_library import settings as made_up_settings

SECONDS = 6.0
DIM = 224  # that of the encoder, which hears what is sent


def played(data: bytes) -> np.ndarray:
    """(n,) mono at 48 kHz of what a browser would decode."""
    resampler = av.AudioResampler("flt", "mono", 48_000)
    parts = []
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(audio=0):
            frame.pts = None
            parts += [ready.to_ndarray()[0] for ready in resampler.resample(frame)]
    parts += [ready.to_ndarray()[0] for ready in resampler.resample(None)]
    return np.concatenate(parts)


def pitch_hz(wave: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum) * 48_000 / len(wave))


def steps(rate_hz: int) -> np.ndarray:
    """A tone a second, 300 Hz higher each time, so that a moment is known by its pitch."""
    return np.concatenate(
        [tone(1.0, rate_hz, frequency_hz=300.0 * (n + 1)) for n in range(round(SECONDS))], axis=1
    )


@pytest.mark.parametrize("ending", CODECS)
@pytest.mark.parametrize("form", FORMS)
def test_any_codec_is_encoded_anew_from_any_second(ending: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"steps{ending}"
    rate_hz = 48_000 if CODECS[ending][1] == "libopus" else 44_100
    write_audio(path, steps(rate_hz), rate_hz)
    whole = played(b"".join(transcoded(path, FORMS[form])))
    assert len(whole) / 48_000 == pytest.approx(SECONDS, abs=0.15)
    late = played(b"".join(transcoded(path, FORMS[form], 3.0)))
    assert len(late) / 48_000 == pytest.approx(SECONDS - 3.0, abs=0.2)
    assert pitch_hz(late[12_000:36_000]) == pytest.approx(1200.0, abs=20)


def test_a_broken_file_is_refused_before_the_sound_begins(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp3"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(AudioError):
        transcoded(path, FORMS["opus"])


def test_peaks_follow_the_sound_and_stay_small(tmp_path: Path) -> None:
    path = tmp_path / "swell.flac"
    samples = tone(30.0, amplitude=0.8) * np.linspace(0, 1, 30 * 44_100, dtype=np.float32)
    write_audio(path, samples)
    found = peaks_of(path)
    assert found.duration_s == pytest.approx(30.0, abs=0.01)
    assert len(found.highest) == len(found.level) == N_PEAKS
    rising = np.linspace(0, 0.8 * 255, N_PEAKS)
    assert np.abs(found.highest - rising).max() < 6
    assert np.abs(found.level - rising / np.sqrt(2)).max() < 6


def test_peaks_of_a_very_short_file(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    write_audio(path, tone(0.05))
    assert 1 <= len(peaks_of(path).highest) <= 3


@dataclass
class Library:
    call: Client
    settings: Settings
    music: Path
    ids: dict[str, int]

    def get(self, path: str, **headers: str) -> tuple[int, Message, bytes]:
        asked = urllib.request.Request(self.call.url + path, headers={
            "Authorization": f"Bearer {TOKEN}", **headers,
        })  # fmt: skip
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


@pytest.fixture
def library(tmp_path: Path, database_url: str, eventually: Eventually) -> Iterator[Library]:
    music = tmp_path / "music"
    music.mkdir()
    settings = made_up_settings(
        tmp_path / "home", database_url=database_url, http_rate_hz=10_000.0, roots=str(music)
    )
    ids = {}
    with open_store(database_url) as store:
        space = raw_space(store, DIM)
        for n, name in enumerate(("one.flac", "two.alac.m4a", "three.mp3")):
            write_audio(music / name, noise(SECONDS, seed=n))
            tags = Tags(title=f"<b>{name}</b>", artist="The Märchen", album="Nights & Days")
            ids[name] = add_track(store, space, str(music / name), levels_of(n, SECONDS, DIM), tags)
    for call in serving(settings, eventually):
        yield Library(call, settings, music, ids)


def test_a_file_that_browsers_play_is_sent_as_it_is_by_ranges(library: Library) -> None:
    data = (library.music / "one.flac").read_bytes()
    path = f"/v1/tracks/{library.ids['one.flac']}/audio"
    status, headers, body = library.get(path)
    assert (status, body) == (200, data)
    assert headers["Content-Type"] == "audio/flac"
    assert headers["Accept-Ranges"] == "bytes"
    status, headers, body = library.get(path, Range="bytes=1000-1999")
    assert (status, body) == (206, data[1000:2000])
    assert headers["Content-Range"] == f"bytes 1000-1999/{len(data)}"
    assert library.get(path, Range=f"bytes={len(data)}-")[0] == 416


def test_a_file_that_browsers_do_not_play_is_encoded_anew(library: Library) -> None:
    path = f"/v1/tracks/{library.ids['two.alac.m4a']}"
    about = library.call(path + "/sound")[1]
    assert (about["codec"], about["media_type"], about["problem"]) == ("alac", None, None)
    status, headers, body = library.get(path + "/audio")
    assert (status, headers["Content-Type"]) == (200, "audio/ogg; codecs=opus")
    assert len(played(body)) / 48_000 == pytest.approx(SECONDS, abs=0.15)
    status, headers, body = library.get(path + "/audio?form=flac&start=4")
    assert float(headers["X-Content-Duration"]) == pytest.approx(SECONDS - 4, abs=0.1)
    assert len(played(body)) / 48_000 == pytest.approx(SECONDS - 4, abs=0.2)
    assert library.get(path + "/audio?form=opus&start=1000")[0] == 400


def test_a_file_that_is_gone_says_so_and_what_to_do(library: Library) -> None:
    (library.music / "one.flac").unlink()
    path = f"/v1/tracks/{library.ids['one.flac']}"
    for what in ("/audio", "/peaks"):
        status, answer = library.call(path + what)
        assert status == 404
        assert "one.flac" in answer["error"]
    assert "one.flac" in library.call(path + "/sound")[1]["problem"]
    assert library.call("/v1/tracks/999999/audio")[0] == 404


def test_a_file_outside_of_the_allowed_folders_is_not_sent(
    library: Library, eventually: Eventually
) -> None:
    elsewhere = replace(library.settings, roots=str(library.music / "inner"))
    for call in serving(elsewhere, eventually):
        assert call(f"/v1/tracks/{library.ids['one.flac']}/audio")[0] == 404


def test_a_library_that_lies_elsewhere_on_this_machine(
    library: Library, eventually: Eventually
) -> None:
    moved = library.music.rename(library.music.with_name("here"))
    mapped = replace(library.settings, roots=None, path_map=(f"{library.music}={moved}",))
    for call in serving(mapped, eventually):
        assert call(f"/v1/tracks/{library.ids['one.flac']}/sound")[1]["problem"] is None


def test_a_waveform_is_computed_once(library: Library) -> None:
    track_id = library.ids["three.mp3"]
    status, first = library.call(f"/v1/tracks/{track_id}/peaks")
    assert status == 200
    assert len(first["peaks"]) == len(first["level"]) > 100
    (library.music / "three.mp3").unlink()
    assert library.call(f"/v1/tracks/{track_id}/peaks") == (200, first)


def test_sections_know_their_repeats(library: Library) -> None:
    ids = ",".join(map(str, library.ids.values()))
    status, answer = library.call(f"/v1/outlines?ids={ids},999999")
    assert status == 200
    assert [one["id"] for one in answer["outlines"]] == list(library.ids.values())
    first = answer["outlines"][0]["sections"]
    assert [one["label"] for one in first] == ["A", "B", "A"]
    assert [one["repeats"] for one in first] == [[2], [], [0]]
    assert library.call("/v1/outlines?ids=1,x")[0] == 400


def test_self_similarity_is_one_with_itself(library: Library) -> None:
    _, answer = library.call(f"/v1/tracks/{library.ids['one.flac']}/self-similarity")
    shades = np.frombuffer(base64.b64decode(answer["rows"]), np.uint8).reshape(answer["n"], -1)
    assert (np.diagonal(shades) == 255).all()
    assert np.array_equal(shades, shades.T)


def test_suggestions_hold_titles_artists_albums_and_stretches(library: Library) -> None:
    found = library.call("/v1/suggest?q=marchen")[1]
    assert [one["name"] for one in found["artists"]] == ["The Märchen"]
    assert sorted(found["artists"][0]["ids"]) == sorted(library.ids.values())
    assert found["albums"] == []
    assert library.call("/v1/suggest?q=nights")[1]["albums"][0]["artist"] == "The Märchen"
    stretch = library.call("/v1/suggest?q=one%201:03-1:20")[1]
    assert stretch["stretch"] == {"start_s": 63.0, "end_s": 80.0}
    assert stretch["tracks"][0]["id"] == library.ids["one.flac"]
    newest = library.call("/v1/suggest?q=")[1]["tracks"]
    assert [one["id"] for one in newest] == sorted(library.ids.values(), reverse=True)
    assert library.call("/v1/suggest?q=zzzzzz")[1]["tracks"] == []


def test_a_sound_of_ones_own_is_heard_once_and_forgotten(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mess_plugin.library import hearing

    heard: list[Path] = []
    hear_whole = hearing.hear_whole

    def counted(path: Path, *rest: Any) -> hearing.Heard:
        heard.append(path)
        return hear_whole(path, *rest)

    monkeypatch.setattr(hearing, "hear_whole", counted)
    write_audio(library.music / "mine.wav", noise(SECONDS, seed=9))
    data = (library.music / "mine.wav").read_bytes()
    status, answer = library.call("/v1/sounds?name=mine.wav", data=data)
    assert status == 201
    assert answer["duration_s"] == pytest.approx(SECONDS, abs=0.01)
    refs = [answer["ref"]]
    for rhythm in (1, 2):
        asked = {"refs": refs, "emphasis": {"rhythm": rhythm}}
        status, found = library.call("/v1/similar", asked)
        assert status == 200
        assert found["query"]["refs"] == refs
    assert len(heard) == 1
    kept = library.settings.home / "heard"
    assert heard[0].parent == kept
    assert heard[0].read_bytes() == data
    assert oct(heard[0].stat().st_mode & 0o777) == "0o600"
    status, found = library.call("/v1/similar", {"refs": refs, "start": 1, "end": 6})
    assert status == 200


def test_what_is_no_sound_is_not_kept(library: Library) -> None:
    assert library.call("/v1/sounds?name=x.mp3", data=b"no sound at all" * 99)[0] == 422
    assert library.call("/v1/sounds?name=x.mp3", data=b"")[0] == 400
    assert list((library.settings.home / "heard").iterdir()) == []
    status, answer = library.call("/v1/similar", {"refs": ["sound:x"]})
    assert status == 404
    assert "half an hour" in answer["error"]


def test_unused_sounds_go_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = KeptSounds(tmp_path)
    refs = []
    for name in ("a.wav", "b.wav"):
        place = sounds.place()
        place.write_bytes(b"x")
        refs.append(sounds.keep(place, name))
    kept = sounds.find(refs[0])
    assert kept is not None
    later = time.monotonic() + 1801
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert sounds.find(refs[1]) is None
    assert not kept.path.exists()
    again = KeptSounds(tmp_path)
    (tmp_path / "heard" / "left by a killed service").touch()
    again.place()
    assert list((tmp_path / "heard").iterdir()) == []
