"""What other programs report: files that changed, and what a Jellyfin server tells.

A message is kept in the database before it is answered with 202, and dealt with afterwards. Senders
repeat messages and mix their order; the same message again only counts.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from mess_integrations.http import cleaning
from mess_integrations.http.answers import Accepted
from mess_integrations.http.bodies import read_body
from mess_integrations.http.jellyfin_events import feedback_of, means_library_change
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_plugin.errors import UsageError
from mess_plugin.library.walk import is_below, watched_roots

_MOST_PATHS = 10_000


class FilesBody(msgspec.Struct, frozen=True):
    """Which files changed."""

    paths: Annotated[
        list[str], msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": _MOST_PATHS})
    ]
    """Absolute paths of files or folders in the watched folders."""
    event: Literal["changed", "deleted"] = "changed"
    """What happened to them."""


def files(service: HttpService, call: Call) -> Reply:
    """Look at these files soon."""
    body = read_body(call.body, FilesBody)
    if not 1 <= len(body.paths) <= _MOST_PATHS:
        raise UsageError(f"paths has {len(body.paths)} entries: wanted 1 to {_MOST_PATHS}")
    roots = watched_roots(service.settings.watch)
    if not roots:
        raise UsageError("no folders are watched: set `watch` in config.toml or MESS_WATCH")
    paths = sorted({_checked(path, roots) for path in body.paths})
    with service.stores.use() as store:
        # Hexadecimal, because names of files may be bytes that are no text.
        told = [{"event": body.event, "path": os.fsencode(path).hex()} for path in paths]
        store.inbox.receive_all("files", body.event, told)
    return Reply({"accepted": len(paths)}, 202)


def jellyfin(service: HttpService, call: Call) -> Reply:
    """A notification of jellyfin-plugin-webhook ("Send All Properties")."""
    body = cleaning.repaired(cleaning.parse(call.body))
    kind = body.get("NotificationType") if isinstance(body, dict) else None
    if not isinstance(kind, str) or not kind:
        raise UsageError(
            'the body has no "NotificationType": choose "Send All Properties" in the plugin'
        )
    with service.stores.use() as store, store.transaction():
        now = datetime.now(UTC)
        acts = feedback_of(body, now)
        if not acts and not means_library_change(body):
            store.inbox.ignore("jellyfin", kind[:64])
            return Reply({"accepted": 0, "ignored": kind[:64]}, 202)
        event = store.inbox.receive_once("jellyfin", kind, body)
        if event is None:
            return Reply({"accepted": 1, "known": True}, 202)
        for act in acts:
            store.inbox.save_feedback(act.of_event(event.digest))
        if not acts:
            store.roots.request_walks()
        store.inbox.handled(event, "feedback" if acts else "walk")
    return Reply({"accepted": 1}, 202)


def _checked(path: str, roots: list[str]) -> str:
    """A path without `..` below a watched folder. Raises UsageError for any other."""
    if "\0" in path or not os.path.isabs(path):  # noqa: PTH117
        raise UsageError(f"path {path!r}: wanted an absolute path")
    plain = os.path.normpath(path)
    try:
        os.fsencode(plain)
    except UnicodeEncodeError as error:
        raise UsageError(f"path {path!r}: it holds characters that no file name can") from error
    if not any(is_below(plain, root) for root in roots):
        raise UsageError(f"path {path!r}: not in a watched folder")
    return plain


_ANSWERS = {
    202: "Kept; it will be dealt with.",
    400: "The message is wrong; `error` says why.",
    503: "The database does not answer: send it again.",
}
ENDPOINTS = (
    Endpoint(
        "POST", "/webhooks/files", "Files changed or vanished", files, body=FilesBody,
        answers=_ANSWERS, answer=Accepted, answer_example={"accepted": 1},
    ),
    Endpoint(
        "POST", "/webhooks/jellyfin", "A notification of Jellyfin's webhook plugin", jellyfin,
        answers=_ANSWERS, answer=Accepted, answer_example={"accepted": 1},
    ),
)  # fmt: skip
