"""Messages → requests, every argument checked.

Some clients have only one kind of number (Pure Data sends 10 as a float, Max may send 10 for 10.0),
so whole floats are taken for integers, integers for floats, and numbers for ids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from mess_integrations.osc.wire import Argument, Message
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Level
from mess_plugin.options import OPTIONS, Kind, Option
from mess_plugin.search import parsing

MAX_K = 100
_MAX_ID_BYTES = 64
_MAX_PATH_BYTES = 4096
_MAX_WORD_BYTES = 200


class BadRequest(UsageError):
    """A request that cannot be: BadRequest(code, message). The codes are HTTP's."""

    @property
    def code(self) -> int:
        """What kind of mistake it is."""
        return int(self.args[0])

    def __str__(self) -> str:
        return str(self.args[1])


Exclude = Literal["self", "album", "artist"]


class Options(msgspec.Struct, frozen=True):
    """The keys after the arguments. scope: None for what suits the question; port: 0 for none.

    words: the options of a query that are said, by the keys of `mess_plugin.options`.
    """

    k: int = 10
    scope: Level | None = None
    exclude: Exclude = "self"
    min_score: float = 0.0
    port: int = 0
    auth: str | None = None
    words: Mapping[str, object] = msgspec.field(default_factory=dict)


class FileLookup(msgspec.Struct, frozen=True):
    """A file, or a stretch of it. interval: None for the whole."""

    id: str
    path: str
    interval: Interval | None


class TrackLookup(msgspec.Struct, frozen=True):
    """A track of the library, or a stretch of it."""

    id: str
    ref: str
    interval: Interval | None


class Begin(msgspec.Struct, frozen=True):
    """Sound is about to come. sample_format: "f32le" or "s16le", channels interleaved."""

    id: str
    rate_hz: int
    channels: int
    n_bytes: int
    sample_format: str


class Data(msgspec.Struct, frozen=True):
    """One block of it, counted from 0."""

    id: str
    number: int
    block: bytes


class Commit(msgspec.Struct, frozen=True):
    """All of it was sent: look it up."""

    id: str
    n_blocks: int


class Excerpt(msgspec.Struct, frozen=True):
    """A stretch of a track of the library as a file."""

    id: str
    ref: str
    interval: Interval | None


class Cancel(msgspec.Struct, frozen=True):
    """Do not answer any more."""

    id: str


class ClientPort(msgspec.Struct, frozen=True):
    """Answer at this port; 0: at the one that the request came from."""

    port: int


class Auth(msgspec.Struct, frozen=True):
    """The shared secret."""

    secret: str


class Subscribe(msgspec.Struct, frozen=True):
    """Say what is new in the library, or stop saying it."""

    on: bool


class Ping(msgspec.Struct, frozen=True):
    """Is anybody there?"""


class Status(msgspec.Struct, frozen=True):
    """What does the library hold?"""


Request = (
    FileLookup | TrackLookup | Begin | Data | Commit | Cancel | ClientPort | Auth | Subscribe
    | Ping | Status | Excerpt
)  # fmt: skip


def parse(message: Message) -> tuple[Request, Options]:
    """The request that a message makes. Raises BadRequest: 404 for an unknown address, else 400."""
    reader = _READERS.get(message.address)
    if reader is None:
        raise BadRequest(404, f"there is no address {message.address}")
    if message.problem is not None:
        raise BadRequest(400, message.problem)
    arguments = _Arguments(message.arguments)
    return reader(arguments), arguments.options()


def id_of(message: Message) -> str:
    """The id of a request that may be wrong in every other way; "" where it has none."""
    if (
        message.address.startswith(("/mess/lookup/", "/mess/excerpt", "/mess/cancel"))
        and message.arguments
    ):
        first = message.arguments[0]
        return first[:_MAX_ID_BYTES] if isinstance(first, str) else ""
    return ""


def port_of(message: Message) -> int:
    """The port that a request wants its answers at, though it may be wrong in every other way."""
    for at, key in enumerate(message.arguments[:-1]):
        port = message.arguments[at + 1]
        if key == "port" and isinstance(port, int | float) and 1024 <= port <= 65535:
            return int(port)
    return 0


class _Arguments:
    """Arguments, taken one by one."""

    def __init__(self, values: tuple[Argument, ...]) -> None:
        self._values = values
        self._at = 0

    def _next(self, name: str) -> Argument:
        if self._at >= len(self._values):
            raise BadRequest(400, f"argument {self._at + 1} ({name}) is missing")
        self._at += 1
        return self._values[self._at - 1]

    def id(self) -> str:
        value = self._next("id")
        if isinstance(value, int | float):
            value = f"{value:g}"
        if not isinstance(value, str) or not 0 < len(_utf8("id", value)) <= _MAX_ID_BYTES:
            raise BadRequest(400, f"the id must be a string of 1 to {_MAX_ID_BYTES} bytes")
        return value

    def path(self) -> str:
        """A path, whose bytes need not be text."""
        value = self._next("path")
        if not isinstance(value, str):
            raise BadRequest(400, f"argument {self._at} (path) must be a string")
        if not 0 < len(value.encode("utf-8", "surrogateescape")) <= _MAX_PATH_BYTES:
            raise BadRequest(400, f"path must be 1 to {_MAX_PATH_BYTES} bytes long")
        return value

    def text(self, name: str, most_bytes: int) -> str:
        value = self._next(name)
        if not isinstance(value, str):
            raise BadRequest(400, f"argument {self._at} ({name}) must be a string")
        if not 0 < len(_utf8(name, value)) <= most_bytes:
            raise BadRequest(400, f"{name} must be 1 to {most_bytes} bytes long")
        return value

    def number(self, name: str, low: float, high: float) -> float:
        value = self._next(name)
        if not isinstance(value, int | float):
            raise BadRequest(400, f"argument {self._at} ({name}) must be a number")
        if not low <= value <= high:
            raise BadRequest(400, f"{name} is {value:g}: wanted {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, low: int, high: int) -> int:
        value = self.number(name, low, high)
        if value != int(value):
            raise BadRequest(400, f"{name} is {value:g}: wanted a whole number")
        return int(value)

    def blob(self, name: str) -> bytes:
        value = self._next(name)
        if not isinstance(value, bytes):
            raise BadRequest(400, f"argument {self._at} ({name}) must be a blob")
        return value

    def interval(self) -> Interval | None:
        """Start and end; None (everything) where the end does not lie behind the start."""
        start_s = self._seconds("start")
        end_s = self._seconds("end")
        return Interval(start_s, end_s) if end_s > start_s else None

    def _seconds(self, name: str) -> float:
        if self._at < len(self._values) and isinstance(self._values[self._at], str):
            try:
                return max(0.0, parsing.moment(name, str(self._next(name))))
            except UsageError as error:
                raise BadRequest(400, str(error)) from error
        value = self.number(name, -math.inf, math.inf)
        if not math.isfinite(value) or abs(value) > 1e6:
            raise BadRequest(400, f"{name} is {value:g}: wanted seconds")
        return max(0.0, value)

    def options(self) -> Options:
        """What is left, as pairs of key and value."""
        found: dict[str, object] = {}
        words: dict[str, object] = {}
        while self._at < len(self._values):
            key = self._next("key")
            if isinstance(key, str) and key in _OPTIONS:
                name, read = _OPTIONS[key]
                found[name] = read(self)
            elif isinstance(key, str) and key in _WORDS:
                words[key] = self.word(_WORDS[key])
            else:
                known = ", ".join((*_OPTIONS, *_WORDS))
                raise BadRequest(400, f"unknown key {key!r}: known are {known}")
        return Options(**found, words=words)  # type: ignore[arg-type]

    def word(self, option: Option) -> object:
        """The value of an option of a query; a number stands for its text."""
        if option.kind is Kind.FLAG:
            return bool(self.whole(option.key, 0, 1)) or None
        if option.kind is Kind.INTEGER:
            return self.whole(option.key, 1, MAX_K)
        if option.kind is Kind.NUMBER:
            return self.number(option.key, 0.0, 1e6)
        value = self._next(option.key)
        if isinstance(value, int | float):
            value = f"{value:g}"
        if not isinstance(value, str):
            raise BadRequest(400, f"argument {self._at} ({option.key}) must be a string")
        if not 0 < len(_utf8(option.key, value)) <= _MAX_WORD_BYTES:
            raise BadRequest(400, f"{option.key} must be 1 to {_MAX_WORD_BYTES} bytes long")
        return (value,) if option.kind is Kind.TEXTS else value

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        value = self.text(name, _MAX_ID_BYTES)
        if value not in known:
            raise BadRequest(400, f"{name} is {value[:40]!r}: wanted {' or '.join(known)}")
        return value


def _utf8(name: str, value: str) -> bytes:
    """The bytes of a text. Raises BadRequest where they are not UTF-8: only a path may hold others."""
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(400, f"{name} is not UTF-8: only a path may hold other bytes") from error


_OPTIONS: dict[str, tuple[str, Callable[[_Arguments], object]]] = {
    "k": ("k", lambda a: a.whole("k", 1, MAX_K)),
    "scope": ("scope", lambda a: Level(a.choice("scope", ("song", "section")))),
    "exclude": ("exclude", lambda a: a.choice("exclude", ("self", "album", "artist"))),
    "minscore": ("min_score", lambda a: a.number("minscore", 0.0, 1.0)),
    "port": ("port", lambda a: a.whole("port", 1024, 65535)),
    "auth": ("auth", lambda a: a.text("auth", 256)),
}

#: Options of a query, but for those that name files or tracks, and those whose name is taken above.
_WORDS = {
    option.key: option
    for option in OPTIONS
    if option.key not in _OPTIONS and option.key not in ("against", "blend", "folder")
}


def _begin(a: _Arguments) -> Begin:
    return Begin(
        a.id(),
        a.whole("rate", 4000, 192_000),
        a.whole("channels", 1, 8),
        a.whole("bytes", 1, 2**31 - 1),
        a.choice("format", ("f32le", "s16le")),
    )


def _client_port(a: _Arguments) -> ClientPort:
    port = a.whole("port", 0, 65535)
    if 0 < port < 1024:
        raise BadRequest(400, f"port is {port}: wanted 0, or 1024 to 65535")
    return ClientPort(port)


_READERS: dict[str, Callable[[_Arguments], Request]] = {
    "/mess/ping": lambda _: Ping(),
    "/mess/auth": lambda a: Auth(a.text("secret", 256)),
    "/mess/client/port": _client_port,
    "/mess/lookup/file": lambda a: FileLookup(a.id(), a.path(), a.interval()),
    "/mess/lookup/track": lambda a: TrackLookup(a.id(), a.text("ref", 512), a.interval()),
    "/mess/lookup/begin": _begin,
    "/mess/lookup/data": lambda a: Data(a.id(), a.whole("seq", 0, 2**31 - 1), a.blob("block")),
    "/mess/lookup/commit": lambda a: Commit(a.id(), a.whole("nchunks", 1, 2**31 - 1)),
    "/mess/excerpt": lambda a: Excerpt(a.id(), a.text("ref", 512), a.interval()),
    "/mess/cancel": lambda a: Cancel(a.id()),
    "/mess/status": lambda _: Status(),
    "/mess/subscribe": lambda a: Subscribe(a.whole("on", 0, 1) == 1),
}
ADDRESSES: dict[str, tuple[str, str]] = {
    "/mess/ping": ("", "Is the server there? Answers /mess/pong."),
    "/mess/auth": ("s", "The shared secret, where one is set."),
    "/mess/client/port": ("i", "Where this client listens; 0: where it sends from."),
    "/mess/lookup/file": ("ssff", "What feels like a file, or like a stretch of it?"),
    "/mess/lookup/track": ("ssff", "What feels like a track of the library, or a stretch of it?"),
    "/mess/lookup/begin": ("siiis", "Start sending sound."),
    "/mess/lookup/data": ("sib", "One block of it."),
    "/mess/lookup/commit": ("si", "All was sent: look it up."),
    "/mess/excerpt": ("ssff", "Write a stretch of a track as a WAV file, and say where."),
    "/mess/cancel": ("s", "Do not answer this lookup any more."),
    "/mess/status": ("", "What does the library hold?"),
    "/mess/subscribe": ("i", "1: say what is new in the library; 0: stop."),
}
"""Every address that is listened to, with its type tags and a sentence."""
