"""Requests to a Jellyfin server.

requests is used because it waits and repeats inside its transport (urllib3's Retry): with growing
pauses, and as long as the server itself asks for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mess_plugin.errors import ServiceError, UsageError

# One error is raised after the last try; urllib3 would log a line for each.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

_PASSING = (429, 502, 503, 504)
_PAUSE_S = 0.02  # between two requests: at most 50 a second
_CONNECT_S = 5.0


class Denied(ServiceError):
    """The user may not do this (400 or 403)."""


class Missing(ServiceError):
    """The server has no such thing (404)."""


class Unlinked(UsageError):
    """No account is linked, or the server no longer accepts its token."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """Timeout of one request, number of tries, and the back-off between them."""

    answer_s: float = 60.0
    tries: int = 5
    backoff_s: float = 0.5

    def retry(self, *, repeatable: bool) -> Retry:
        """repeatable: the request may be sent twice; others are repeated only if never received.

        A refused connection is tried once more only: callers that can wait try again themselves.
        """
        return Retry(
            total=self.tries - 1,
            connect=min(1, self.tries - 1),
            status_forcelist=_PASSING,
            allowed_methods=None if repeatable else {"GET"},
            backoff_factor=self.backoff_s,
            backoff_jitter=self.backoff_s / 2,
            backoff_max=30,
            retry_after_max=60,
            raise_on_status=False,
        )


DEFAULT_RETRIES = RetryPolicy()


def authorization(device_id: str, token: str | None = None) -> str:
    """The value of the header `Authorization`, in the only form that 10.11 and 12 both take."""
    parts = {
        "Client": "MESS",
        "Device": "MESS",
        "DeviceId": device_id,
        "Version": version("mess-plugin"),
    }
    if token is not None:
        parts["Token"] = token
    said = ", ".join(f'{key}="{quote(value, safe="")}"' for key, value in parts.items())
    return f"MediaBrowser {said}"


class _MediaBrowser(requests.auth.AuthBase):
    """The Authorization header, as a requests auth object so that no .netrc replaces it."""

    def __init__(self, device_id: str, token: str | None) -> None:
        self._header = authorization(device_id, token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class JellyfinClient:
    """HTTP client of one server, with or without a token. Not thread-safe."""

    def __init__(
        self,
        url: str,
        device_id: str,
        token: str | None = None,
        patience: RetryPolicy = DEFAULT_RETRIES,
    ) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        self._sent_s = 0.0
        self._sessions = {
            repeatable: self._session(_MediaBrowser(device_id, token), repeatable)
            for repeatable in (True, False)
        }

    def _session(self, auth: _MediaBrowser, repeatable: bool) -> requests.Session:
        session = requests.Session()
        session.auth = auth
        session.headers["Accept"] = "application/json"
        adapter = HTTPAdapter(max_retries=self._patience.retry(repeatable=repeatable))
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        return session

    def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            session.close()

    def get(self, path: str, **query: object) -> Any:
        """The document at a path. Raises ServiceError (Denied, Missing) or Unlinked."""
        said = {key: _text(value) for key, value in query.items() if value is not None}
        return self._ask("GET", path, repeatable=True, query=said, body=None)

    def post(
        self, path: str, body: Mapping[str, object] | None = None, *, repeatable: bool = False
    ) -> Any:
        """The answer, None where it is empty. repeatable: sending it twice changes nothing."""
        return self._ask("POST", path, repeatable=repeatable, query={}, body=body)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        query: Mapping[str, Any],
        body: Any,
    ) -> Any:
        time.sleep(max(0.0, self._sent_s + _PAUSE_S - time.monotonic()))
        self._sent_s = time.monotonic()
        try:
            answer = self._sessions[repeatable].request(
                method,
                self.url + path,
                params=query,
                json=body,
                timeout=(_CONNECT_S, self._patience.answer_s),
                allow_redirects=False,  # the token is for this address alone
            )
        except requests.RequestException as error:
            raise self._error(f"it does not answer ({_cause(error)})") from error
        return self._read(answer, f"{method} {path}")

    def _read(self, answer: requests.Response, request: str) -> Any:
        if answer.is_redirect:
            raise self._error(
                f"it sends us to {answer.headers['Location']}: link that address instead"
            )
        if answer.status_code == 401:
            raise Unlinked(
                f"Jellyfin at {self.url} does not accept this account: run `mess jellyfin link`"
            )
        kinds: dict[int, type[ServiceError]] = {400: Denied, 403: Denied, 404: Missing}
        if not answer.ok:
            kind = kinds.get(answer.status_code, ServiceError)
            raise self._error(f"it answers {answer.status_code} to {request}", kind)
        if not answer.content:
            return None
        try:
            return answer.json()
        except requests.JSONDecodeError as error:
            raise self._error(f"its answer to {request} is no JSON: is this Jellyfin?") from error

    def _error(self, reason: str, kind: type[ServiceError] = ServiceError) -> ServiceError:
        return kind(f"Jellyfin at {self.url}", reason)


def _text(value: object) -> object:
    """As in addresses: true and false; lists are repeated parameters."""
    return str(value).lower() if isinstance(value, bool) else value


def _cause(error: requests.RequestException) -> str:
    match error:
        case requests.Timeout():
            return "too slow"
        case requests.exceptions.SSLError():
            return "its certificate is not accepted"
        case requests.ConnectionError():
            return "no connection"
        case _:
            return str(error) or type(error).__name__
