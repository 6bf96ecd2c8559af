"""What stands between the dashboard and a hostile page or span: headers, host names, cross-site posts.

The policy allows nothing from elsewhere, no inline script and no inline style. Plotly sets style attributes; a few
lines that run before it (``prelude.js``) turn these into style properties, which the policy has no quarrel with.
"""

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOOPBACK_HOSTS", "MOST_BODY_BYTES", "SECURITY_HEADERS", "SecurityHeaders", "WriteGuard", "is_cross_site"]

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")

MOST_BODY_BYTES = 4 << 20
"""Longest body of a write; some 40,000 deployments."""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers older than frame-ancestors
    "Referrer-Policy": "no-referrer",  # paths carry service names
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """ASGI middleware that puts the security headers on every response, errors included.

    Pages are never stored by shared caches; a response that set its own Cache-Control keeps it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class WriteGuard:
    """ASGI middleware that refuses writes from pages of other sites, of other types than JSON, or too long.

    Demanding JSON matters on its own: a browser asks permission before it sends that type to another site.
    """

    def __init__(self, app: ASGIApp, own_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._own_hosts = own_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        refusal = None
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
            refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, detail = refusal
        problem = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
        await JSONResponse(problem, int(status), media_type="application/problem+json")(scope, receive, send)

    def _refusal(self, headers: Headers) -> tuple[HTTPStatus, str] | None:
        if is_cross_site(headers, self._own_hosts):
            return HTTPStatus.FORBIDDEN, "A page of another site may not write here."
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON, with Content-Type: application/json."
        length = headers.get("content-length", "")
        if not length.isdigit():
            return HTTPStatus.LENGTH_REQUIRED, "The request must say its Content-Length."
        if int(length) > MOST_BODY_BYTES:
            return (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The body may have up to {MOST_BODY_BYTES:,} bytes; send it in parts.",
            )
        return None


def is_cross_site(headers: Headers, own_hosts: Iterable[str]) -> bool:
    """Whether a browser sent this request from a page of another site; requests of programs carry neither header."""
    if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower() or (
        urlsplit(origin).hostname or ""
    ).lower() not in {host.strip("[]").lower() for host in own_hosts}
