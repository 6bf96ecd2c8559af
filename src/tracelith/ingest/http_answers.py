"""Counts the answers of the OTLP/HTTP receiver by status: some senders are turned away before their body is read."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CountedAnswers"]


class CountedAnswers:
    """ASGI middleware that reports the status of every answer. (gRPC refuses too large messages without telling us.)"""

    def __init__(self, app: ASGIApp, answered: Callable[[int], None]) -> None:
        self._app = app
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answered(message["status"])
            await send(message)

        await self._app(scope, receive, send_and_count)
