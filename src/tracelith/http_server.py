"""An ASGI application served from a thread of its own, by uvicorn, which no client can keep busy for nothing.

uvicorn waits for ever for a request that does not come to its end and for a client that does not read its answer.
Here a connection has some seconds to say what it wants, the kernel drops one that takes nothing for too long, and
there are so many at once and no more. How long a body may take is the application's to say.
"""

import asyncio
import socket
import threading
import time
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tracelith.config import split_address
from tracelith.model.errors import ConfigurationError

__all__ = ["HttpServer"]

STARTUP_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
BACKLOG = 512

MAX_CONNECTIONS = 1_000
"""At once; further ones are closed unheard. Each takes a file descriptor, which the database needs, too."""

HEAD_TIMEOUT_S = 10.0
"""From the connection, or the first byte of a further request, to the end of the request's head."""

KEEP_ALIVE_S = 30.0
"""Exporters send every 5 s by default; a connection closed after just that time would race with their next request."""

UNREAD_TIMEOUT_S = 30.0
"""A connection is dropped when its client took nothing of what was sent for so long."""


class HttpServer:
    """A running HTTP server.

    Attributes:
        address: host:port it listens on, with the real port where 0 was asked for.
    """

    def __init__(self, application: Any, address: str, *, option: str) -> None:
        """Starts listening.

        Args:
            option: the command line option that sets the address, for error messages.

        Raises:
            ConfigurationError: the address is taken or does not exist here.
        """
        self._socket = _listen(address, option)
        host, port = self._socket.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        config = uvicorn.Config(
            application,
            http=_BoundedConnection,
            timeout_keep_alive=int(KEEP_ALIVE_S),
            log_config=None,  # its warnings go where ours go
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=int(STOP_TIMEOUT_S / 2),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"http{option}", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + STARTUP_TIMEOUT_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def stop(self) -> None:
        """Lets requests under way finish, then ends."""
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)
        self._socket.close()


class _BoundedConnection(H11Protocol):
    """A connection that is closed when the head of a request does not come in time. One timer per request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_came()
        else:
            self._await_head()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio keeps the connection for what is true
        """Whether an answer is still to be sent to a client that closed its own direction, as ``nc -N`` does."""
        answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if answering:
            self.cycle.keep_alive = False
        return answering

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _listen(address: str, option: str) -> socket.socket:
    host, port = split_address(address)
    try:
        family, _, _, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(name[:2], family=family, backlog=BACKLOG)
        # asyncio does so for sockets it makes itself. Without, an answer waits up to 40 ms for the client to confirm
        # the packet before, which held its head; connections inherit it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # inherited by the connections
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_TIMEOUT_S * 1000))
    except OSError as error:
        raise ConfigurationError(
            f"{option} {address} cannot be listened on: {error.strerror or error}; choose another address"
        ) from error
    return listening
