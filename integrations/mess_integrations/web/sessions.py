"""Browsers that are signed in, and links that sign one in.

They lie in a file of the home and not in the database, so that the page can still say what is wrong
when the database is down. The file holds only hashes: who reads it can sign in nowhere, and a
session is worth nothing at a MESS with another home.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mess_plugin.atomic_file import write_bytes
from mess_plugin.errors import ConfigError, UnknownName
from mess_plugin.private_folder import make_private

LINK_S = 600.0
"""A link signs in for so long, and once."""
UNUSED_S = 30 * 86_400.0
"""A session that was not used for so long ends."""
_SEEN_EVERY_S = 3600.0  # how exactly the file says when a session was used last
_MOST_NAME = 80
_ID_BYTES = 32


class Session(msgspec.Struct, frozen=True):
    """A browser that is signed in. digest: SHA-256 of the cookie, in hexadecimal digits."""

    digest: str
    browser: str
    made_at: float
    seen_at: float

    @property
    def name(self) -> str:
        """What people call it by: the first eight digits."""
        return self.digest[:8]


class _File(msgspec.Struct):
    #: Tells the cookies of two homes on one host name apart: browsers share them between ports.
    home: str = msgspec.field(default_factory=lambda: secrets.token_hex(4))
    sessions: list[Session] = []
    #: SHA-256 of the code in a link → when it is over, in seconds since 1970.
    links: dict[str, float] = {}


class Sessions:
    """The sessions of one home. May be used from several threads and processes.

    Raises ConfigError where the file cannot be read or written.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "sessions.json"
        self._guard = threading.Lock()
        self._known = _File(home="")
        self._version: tuple[int, int] | None = None

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        self._refresh()
        return f"mess_{self._known.home}" if self._known.home else "mess_session"

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """Whether a browser with these cookies is signed in."""
        self._refresh()
        given = cookies.get(f"mess_{self._known.home}", "")
        found = next((one for one in self._known.sessions if one.digest == _digest(given)), None)
        now = time.time()
        if not given or found is None or now - found.seen_at > UNUSED_S:
            return False
        if now - found.seen_at > _SEEN_EVERY_S:
            self._use(found.digest)
        return True

    def make_link(self) -> str:
        """A code that signs one browser in within LINK_S."""
        code = secrets.token_urlsafe(_ID_BYTES)
        with self._alone() as content:
            content.links[_digest(code)] = time.time() + LINK_S
        return code

    def follow_link(self, code: str, browser: str) -> str | None:
        """The cookie of a new session; None where the code is none, used or over."""
        with self._alone() as content:
            over_at = content.links.pop(_digest(code), 0.0)
            return _begin(content, browser) if time.time() < over_at else None

    def begin(self, browser: str) -> str:
        """The cookie of a new session, for who has shown the token. browser: its User-Agent."""
        with self._alone() as content:
            return _begin(content, browser)

    def end(self, name: str) -> list[Session]:
        """End a session by its name, or "all". Returns those that ended; raises UnknownName."""
        with self._alone() as content:
            ended = [one for one in content.sessions if name in ("all", one.name, one.digest)]
            if not ended and name != "all":
                raise UnknownName("session", name, [one.name for one in content.sessions])
            content.sessions = [one for one in content.sessions if one not in ended]
        return ended

    def all(self) -> list[Session]:
        """Those that are signed in, the one used last first."""
        with self._alone() as content:
            return sorted(content.sessions, key=lambda one: -one.seen_at)

    def of(self, cookies: Mapping[str, str]) -> str | None:
        """The digest of the session of these cookies, None where there is none."""
        return _digest(cookies[self.cookie]) if self.knows(cookies) else None

    def _use(self, digest: str) -> None:
        now = time.time()
        with self._alone() as content:
            content.sessions = [
                msgspec.structs.replace(one, seen_at=now) if one.digest == digest else one
                for one in content.sessions
            ]

    @contextmanager
    def _alone(self) -> Iterator[_File]:
        """The content of the file, alone among all processes; written afterwards if it changed."""
        lock = self._path.with_suffix(".lock")
        try:
            make_private(self._path.parent)
            with lock.open("a") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                content = self._read()
                before = msgspec.json.encode(content)
                _forget_what_is_over(content)
                yield content
                after = msgspec.json.encode(content)
                if after != before or not self._path.exists():
                    write_bytes(self._path, after, mode=0o600)
        except OSError as error:
            raise self._unusable(error) from error

    def _read(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return _File()
        except msgspec.MsgspecError as error:
            raise self._unusable(error) from error

    def _refresh(self) -> None:
        """Read the file again where another process, or another thread, has changed it."""
        with self._guard:
            try:
                found = self._path.stat()
                version = (found.st_mtime_ns, found.st_ino)
            except FileNotFoundError:
                version = None
            except OSError as error:
                raise self._unusable(error) from error
            if version != self._version:
                self._known, self._version = self._read(), version
            if version is None:
                self._known = _File(home="")

    def _unusable(self, error: Exception) -> ConfigError:
        return ConfigError("home", str(self._path), f"this file cannot be used: {error}")


def _begin(content: _File, browser: str) -> str:
    cookie, now = secrets.token_urlsafe(_ID_BYTES), time.time()
    text = "".join(letter for letter in browser if letter.isprintable())[:_MOST_NAME]
    content.sessions.append(Session(_digest(cookie), text, now, now))
    return cookie


def _forget_what_is_over(content: _File) -> None:
    now = time.time()
    content.links = {code: over_at for code, over_at in content.links.items() if now < over_at}
    content.sessions = [one for one in content.sessions if now - one.seen_at <= UNUSED_S]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
