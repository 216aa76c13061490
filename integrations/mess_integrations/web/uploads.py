"""Asking with a sound of one's own: it is received, heard, and forgotten when nobody asks any more."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_integrations.web.kept_sounds import MOST_BYTES
from mess_plugin.audio.peaks import peaks_of
from mess_plugin.errors import UsageError

_LIMIT_S = 120.0


class SoundName(msgspec.Struct, frozen=True):
    """What the sound is called."""

    name: Annotated[str, msgspec.Meta(max_length=400)] = "sound"
    """What people call it; its ending helps to tell the format."""


def receive(service: HttpService, call: Call) -> Reply:
    """Keep a sound for half an hour after it was last asked about, and say how it looks."""
    query: SoundName = call.query
    if call.file is None or call.file.stat().st_size == 0:
        raise UsageError("the body is empty: wanted the bytes of a sound file")
    ref = service.sounds.keep(call.file, query.name)
    kept = service.sounds.find(ref)
    assert kept is not None
    try:
        seen = peaks_of(kept.path, limit_s=_LIMIT_S)
    except BaseException:
        service.sounds.forget(ref)
        raise
    return Reply(
        {
            "ref": ref,
            "name": query.name,
            "duration_s": round(seen.duration_s, 3),
            "peaks": seen.highest.tolist(),
            "level": seen.level.tolist(),
        },
        status=201,
    )


ENDPOINTS = (
    Endpoint(
        "POST", "/v1/sounds", "Ask with a sound of one's own: the body is the file", receive, SoundName,
        most_body_bytes=MOST_BYTES, takes_file=True,
        answers={
            201: "A reference for `refs`; forgotten half an hour after the last question.",
            400: "There is nothing in the body.", 422: "It cannot be heard.",
        },
        answer_example={
            "ref": "sound:Zk3…", "name": "riff.wav", "duration_s": 10.0, "peaks": [0, 131],
            "level": [0, 40],
        },
    ),
)  # fmt: skip
