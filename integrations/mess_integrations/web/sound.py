"""Listening: the sound of a track, how it can be played, and its waveform."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from starlette.responses import FileResponse, Response, StreamingResponse

from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply
from mess_integrations.web.transcoding import FORMS, transcoded
from mess_plugin.audio import AudioInfo, probe
from mess_plugin.audio.peaks import peaks_of
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.library.pathmap import PathMap
from mess_plugin.model import Peaks, Track
from mess_plugin.store import Store

#: (container by the file's ending, codec) → the media type by which browsers are asked.
_NATIVE = {
    ("mp3", "mp3"): "audio/mpeg",
    ("mp3", "mp3float"): "audio/mpeg",
    ("flac", "flac"): "audio/flac",
    ("ogg", "vorbis"): 'audio/ogg; codecs="vorbis"',
    ("oga", "vorbis"): 'audio/ogg; codecs="vorbis"',
    ("ogg", "opus"): 'audio/ogg; codecs="opus"',
    ("oga", "opus"): 'audio/ogg; codecs="opus"',
    ("opus", "opus"): 'audio/ogg; codecs="opus"',
    ("m4a", "aac"): 'audio/mp4; codecs="mp4a.40.2"',
    ("mp4", "aac"): 'audio/mp4; codecs="mp4a.40.2"',
    ("aac", "aac"): "audio/aac",
    ("wav", "pcm_s16le"): "audio/wav",
    ("wav", "pcm_u8"): "audio/wav",
    ("webm", "opus"): 'audio/webm; codecs="opus"',
    ("webm", "vorbis"): 'audio/webm; codecs="vorbis"',
}
_PEAKS_LIMIT_S = 120.0
_AT_ONCE = threading.BoundedSemaphore(2)  # waveforms computed at the same time


class SoundQuery(msgspec.Struct, frozen=True):
    """Where and how to listen."""

    form: Literal["auto", "file", "opus", "flac"] = "auto"
    """file: as it is. opus, flac: encoded anew while it is sent. auto: as browsers play it."""
    start: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    """The second to begin at; only where it is encoded anew. A file is sought in by HTTP Range."""


def audio(service: HttpService, call: Call) -> Response:
    """The sound of a track."""
    query: SoundQuery = call.query
    with service.stores.use() as store:
        track = track_of(store, call)
        path = find_file(store, service, track)
    return sound_of(path, query.form, query.start, track.duration_s)


def sound_of(path: Path, form: str, start_s: float, duration_s: float) -> Response:
    """A file's sound. Raises AudioError where it is encoded anew and cannot be read."""
    info = probe(path)
    native = media_type_of(path, info)
    if form == "file" or (form == "auto" and native and not start_s):
        return FileResponse(
            path,
            media_type=native or "application/octet-stream",
            headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"},
        )
    how = FORMS["opus" if form == "auto" else form]
    if start_s >= duration_s:
        raise UsageError(f"the sound ends at {duration_s:g} s, before {start_s:g} s")
    return StreamingResponse(
        transcoded(path, how, start_s),
        media_type=how.media_type,
        headers={
            "X-Content-Duration": f"{duration_s - start_s:.3f}",
            "Accept-Ranges": "none",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def sound(service: HttpService, call: Call) -> Reply:
    """How a track can be played, before it is: its media type, or what is wrong with the file."""
    with service.stores.use() as store:
        track = track_of(store, call)
        try:
            info = probe(path := find_file(store, service, track))
        except (AudioError, NotFound) as error:
            problem = error.reason if isinstance(error, AudioError) else str(error)
            return Reply({"duration_s": round(track.duration_s, 3), "problem": problem})
        measured = store.facets.measures([track.id])
    measures = measured[track.id][0] if track.id in measured else None
    return Reply(
        {
            "duration_s": round(track.duration_s, 3),
            "media_type": media_type_of(path, info),
            "codec": info.codec,
            "rate_hz": info.rate_hz,
            "channels": info.channels,
            "loudness_lufs": measures.loudness.integrated_lufs if measures else None,
            "problem": None,
        }
    )


def peaks(service: HttpService, call: Call) -> Reply:
    """The waveform of a track: read from the file at the first look, kept afterwards."""
    with service.stores.use() as store:
        track = track_of(store, call)
        known = store.waveforms.get(track.id)
        path = None if known else find_file(store, service, track)
    if known is None:
        assert path is not None
        known = _computed(service, track.id, path)
    return Reply(
        {
            "duration_s": round(known.duration_s, 3),
            "peaks": known.highest.tolist(),
            "level": known.level.tolist(),
        },
        headers={"Cache-Control": "private, max-age=86400"},
    )


_turns: OrderedDict[int, threading.Lock] = OrderedDict()
_turns_guard = threading.Lock()


def _computed(service: HttpService, track_id: int, path: Path) -> Peaks:
    """Compute and keep; whoever asks for the same meanwhile waits for it."""
    with _turns_guard:
        turn = _turns.setdefault(track_id, threading.Lock())
        _turns.move_to_end(track_id)
        while len(_turns) > 256:
            _turns.popitem(last=False)
    with turn:
        with service.stores.use() as store:
            known = store.waveforms.get(track_id)
        if known is not None:
            return known
        with _AT_ONCE:
            made = peaks_of(path, limit_s=_PEAKS_LIMIT_S)
        with service.stores.use() as store:
            store.waveforms.save(track_id, made)
    return made


def track_of(store: Store, call: Call) -> Track:
    """The track in the path of a request. Raises UsageError, NotFound."""
    text = call.path["id"].removeprefix("mess:")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"track id {text!r}: wanted a number")
    found = store.library.get([int(text)]).get(int(text))
    if found is None:
        raise NotFound(f"there is no track {text} in the library, or its file was moved away")
    return found


def find_file(store: Store, service: HttpService, track: Track) -> Path:
    """Where a track lies on this machine, inside the allowed folders. Raises NotFound."""
    here = PathMap.parse(service.settings.path_map)
    seen: list[str] = []
    for known in track.paths:
        local = here.local(known)
        real = service.roots.find(store, local)
        if real is None and local != known:  # the rules name folders that may be read
            real = Path(local).resolve()
            if not any(real.is_relative_to(Path(folder).resolve()) for _, folder in here.pairs):
                real = None
        if real is not None and real.is_file():
            return real
        seen.append(local)
    raise NotFound(
        f"no file of this track is there now: {seen[0] if seen else 'it lies nowhere'}; is its disk "
        "connected, or was it moved? `mess status` tells what the watched folders say"
    )


def media_type_of(path: Path, info: AudioInfo) -> str | None:
    """What browsers call it, None where none plays it."""
    return _NATIVE.get((path.suffix[1:].lower(), info.codec))


_NONE = {404: "There is no such track, or no file of it."}
_BROKEN = {422: "The file cannot be heard.", 503: "The database does not answer."}
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/tracks/{id}/audio", "The sound of a track, with HTTP Range", audio, SoundQuery,
        answers={200: "The sound.", 206: "A part of the file.", **_NONE, **_BROKEN},
        media=("audio/*", "application/octet-stream"),
    ),
    Endpoint(
        "GET", "/v1/tracks/{id}/sound", "How a track can be played", sound,
        answers={200: "Media type (null: only encoded anew), or a problem.", **_NONE, **_BROKEN},
        answer_example={
            "duration_s": 93.1, "media_type": 'audio/ogg; codecs="vorbis"', "codec": "vorbis",
            "rate_hz": 44100, "channels": 2, "loudness_lufs": -14.1, "problem": None,
        },
    ),
    Endpoint(
        "GET", "/v1/tracks/{id}/peaks", "The waveform of a track", peaks,
        answers={200: "Up to 1000 steps, 0 to 255.", **_NONE, **_BROKEN},
        answer_example={"duration_s": 93.1, "peaks": [0, 131, 240], "level": [0, 40, 88]},
    ),
)  # fmt: skip
