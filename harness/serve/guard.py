"""Who may ask, and what every answer says to the browser.

Rules
1. Without a token the server listens on loopback only, and answers only requests that name it so:
   a page of another site whose name was made to point here (DNS rebinding) names that site.
2. With a token every request brings it: in the header Authorization, in a cookie, or once in the
   address, which is exchanged for the cookie so that it stays in no history or log.
3. What changes something is a POST from a page of ours: Origin and Sec-Fetch-Site must not name
   another, and the form brings a secret that no other site can read. A program that brings the
   token in its header needs neither, for no browser sends that by itself.
4. Pages run scripts of ours only, from files; a report, which carries its own, is shut off from
   this origin (sandbox), so that nothing in a history can act here.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' blob:; img-src data: blob:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # stricter, and browsers would send forms without an origin
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_ASK = (
    "This page asks for its token. Open the address that 'antipaxos serve' printed, which ends in "
    "?token=..., or send the header 'Authorization: Bearer TOKEN'.\n"
)


class Guarded(msgspec.Struct, frozen=True):
    """`hosts`: names under which the server answers, None for any. `token`: None asks for none.
    `form_secret`: what forms bring. `session`: what the cookie holds, which is not the token."""

    hosts: frozenset[str] | None
    token: str | None
    form_secret: str
    session: str
    cookie: str


def guarded(host: str, port: int, token: str | None) -> Guarded:
    hosts = None if token is not None else LOOPBACK | {host.lower()}
    secret, session = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    # A cookie is of a host, whatever the port: two servers must not take each other's.
    return Guarded(hosts, token, secret, session, f"antipaxos-{port}")


def same(one: str, other: str) -> bool:
    """In a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode(), other.encode())


class Guard:
    """Rules 1 and 2, and the headers of rule 4, around an application."""

    def __init__(self, app: ASGIApp, guarded: Guarded) -> None:
        self._app = app
        self._guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        scope.setdefault("state", {})["by_header"] = self._by_header(headers)
        answer = self._refused(scope, headers) or self._app
        await answer(scope, receive, with_headers)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = self._guarded.hosts
        if hosts is not None and host_of(headers.get("host", "")) not in hosts:
            return PlainTextResponse(
                "This server answers on this machine only, as http://127.0.0.1.\n", 421
            )
        if self._guarded.token is None or scope["state"]["by_header"]:
            return None
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        given = asked.pop("token", None)
        if given is not None and same(given, self._guarded.token) and scope["method"] == "GET":
            return self._exchanged(scope["path"], asked)
        if same(_cookie(headers, self._guarded.cookie), self._guarded.session):
            return None
        return PlainTextResponse(_ASK, 401, {"WWW-Authenticate": "Bearer"})

    def _exchanged(self, path: str, asked: Mapping[str, str]) -> Response:
        # One slash: '//elsewhere' would be the address of another host.
        target = "/" + path.lstrip("/\\") + (f"?{urlencode(asked)}" if asked else "")
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            self._guarded.cookie, self._guarded.session, httponly=True, samesite="strict", path="/"
        )
        return answer

    def _by_header(self, headers: Headers) -> bool:
        token = self._guarded.token
        kind, _, given = headers.get("authorization", "").partition(" ")
        return token is not None and kind.lower() == "bearer" and same(given.strip(), token)


def from_elsewhere(headers: Headers) -> bool:
    """Does the browser say that another site sent this request?"""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def host_of(header: str) -> str:
    """The name in a Host header, without port and brackets; empty where it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _cookie(headers: Headers, name: str) -> str:
    # As browsers write them: http.cookies gives up at one of another server that it cannot read.
    return cookie_parser(headers.get("cookie", "")).get(name, "")
