"""The token that a request must carry: from the setting, else one of our own making."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError

_SHORTEST = 16


def token_for(settings: Settings) -> str:
    """The setting `token`, else the content of MESS_HOME/token, made once and private (0600).

    Raises ConfigError where it is too short to be a secret or cannot be read.
    """
    if settings.token is not None:
        return _checked(settings.token, "token")
    path = settings.home / "token"
    try:
        _make(path)
        return _checked(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("token", str(path), f"this file cannot be read: {error}") from error


def is_token(given: str, token: str) -> bool:
    """Whether a given token is the right one, in a time that does not tell how much of it is."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _make(path: Path) -> None:
    """A new token, unless there is one; of several at once the first wins."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".token.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    try:
        os.link(draft, path)  # unlike a rename this never replaces one that is in use
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _checked(token: str, where: str) -> str:
    if len(token) < _SHORTEST:
        raise ConfigError("token", "(secret)", f"{where} must have {_SHORTEST} characters or more")
    return token
