"""An ASGI application served from a thread of its own, by uvicorn."""

import socket
import threading
import time
from typing import Any

import uvicorn

from tracelith.config import split_address
from tracelith.model.errors import ConfigurationError

__all__ = ["HttpServer"]

STARTUP_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
BACKLOG = 512


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


def _listen(address: str, option: str) -> socket.socket:
    host, port = split_address(address)
    try:
        family, _, _, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(name[:2], family=family, backlog=BACKLOG)
        # asyncio does so for sockets it makes itself. Without, an answer waits up to 40 ms for the client to confirm the
        # packet before, which held its head; connections inherit it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise ConfigurationError(
            f"{option} {address} cannot be listened on: {error.strerror or error}; choose another address"
        ) from error
    return listening
