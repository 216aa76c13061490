"""The page itself: files of the package, the same for everybody, so no session is needed for them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from mess_integrations.http.routing import Call, Endpoint, HttpService, NotFound, Reply

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "Cache-Control": "no-cache",  # kept, but asked about each time: an upgrade shows at once
}


class _Asset:
    def __init__(self, file: Traversable) -> None:
        self.data = file.read_bytes()
        self.media_type = _TYPES[file.name.rpartition(".")[2]]
        self.tag = f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'


@cache
def _assets() -> dict[str, _Asset]:
    """All files by name; read once, so that no request reaches the disk."""
    root = files("mess_integrations.web") / "assets"
    return {
        entry.name: _Asset(entry)
        for entry in root.iterdir()
        if entry.name.rpartition(".")[2] in _TYPES and not entry.name.endswith(".d.ts")
    }


def page(_service: HttpService, call: Call) -> Reply:
    """The page."""
    return _serve("index.html", call)


def asset(_service: HttpService, call: Call) -> Reply:
    """A script, a style or a picture of the page."""
    return _serve(call.path["name"], call)


def _serve(name: str, call: Call) -> Reply:
    found = _assets().get(name)
    if found is None:
        raise NotFound(f"the page has no file {name!r}")
    headers = {**_HEADERS, "ETag": found.tag}
    if call.headers.get("if-none-match") == found.tag:
        return Reply(status=304, text="", headers=headers, media_type=found.media_type)
    return Reply(text=found.data, headers=headers, media_type=found.media_type)


_HTML = {200: "The page, in HTML."}
ENDPOINTS = (
    Endpoint("GET", "/", "The web page", page, is_open=True, answers=_HTML, media=("text/html",)),
    Endpoint(
        "GET", "/assets/{name}", "A file of the web page", asset, is_open=True,
        answers={200: "The file.", 404: "There is no such file."}, media=tuple(_TYPES.values()),
    ),
)  # fmt: skip
