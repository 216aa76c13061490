"""Signing a browser in and out."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from mess_integrations.http.auth import is_token
from mess_integrations.http.bodies import read_body
from mess_integrations.http.routing import Call, Endpoint, HttpService, Reply
from mess_integrations.web.sessions import UNUSED_S
from mess_plugin.errors import UsageError


class SignIn(msgspec.Struct, frozen=True):
    """code: of a link that `mess open` printed; or token: that of the service."""

    code: str | None = None
    token: str | None = None


def sign_in(service: HttpService, call: Call) -> Reply:
    """Give the browser a session as a cookie. Open to all, for it is how one gets in."""
    body = read_body(call.body, SignIn)
    browser = call.headers.get("user-agent", "")
    if body.code is not None:
        cookie = service.sessions.follow_link(body.code, browser)
        wrong = "this link was used before or is older than ten minutes: run `mess open` again"
    elif body.token is not None:
        right = is_token(body.token.strip(), service.token)
        cookie = service.sessions.begin(browser) if right else None
        wrong = "this is not the token: it is in MESS_TOKEN or in the file `token` of MESS_HOME"
    else:
        raise UsageError("wanted a code or a token to sign in with")
    if cookie is None:
        return Reply({"error": wrong}, HTTPStatus.FORBIDDEN)
    return Reply({"signed_in": True}, headers=_cookie(service, call, cookie, round(UNUSED_S)))


def sign_out(service: HttpService, call: Call) -> Reply:
    """End the session of the browser that asks."""
    digest = service.sessions.of(_cookies(call))
    if digest is not None:
        service.sessions.end(digest)
    return Reply({"signed_in": False}, headers=_cookie(service, call, "", 0))


def _cookie(service: HttpService, call: Call, value: str, age_s: int) -> dict[str, str]:
    """Readable by no script, sent to no other site, and behind TLS never without it."""
    secure = "; Secure" if call.headers.get("x-forwarded-proto", "").lower() == "https" else ""
    return {
        "Set-Cookie": f"{service.sessions.cookie}={value}; Max-Age={age_s}; Path=/; HttpOnly; "
        f"SameSite=Strict{secure}"
    }


def _cookies(call: Call) -> dict[str, str]:
    pairs = (one.partition("=") for one in call.headers.get("cookie", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


_WRONG = {400: "Neither a code nor a token.", 403: "The code or the token is wrong."}
ENDPOINTS = (
    Endpoint(
        "POST", "/v1/session", "Sign a browser in by a link's code or by the token", sign_in,
        body=SignIn, is_open=True, answer_example={"signed_in": True},
        answers={200: "The session, as a cookie.", **_WRONG},
    ),
    Endpoint(
        "DELETE", "/v1/session", "Sign the browser that asks out", sign_out,
        answer_example={"signed_in": False},
    ),
)  # fmt: skip
