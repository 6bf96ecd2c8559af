"""What the process that asks and the one that observes say to each other, large frames beside the pickle.

A pickle holds its own copy of every span, made column by column, and another one is made when it is read: of all that
it takes to hand spans over, the pipe itself is a quarter. Arrow tables can leave their buffers out of the pickle.
"""

import pickle
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any

import polars as pl

__all__ = ["receive", "send"]

LARGE_BYTES = 2**20
"""Of many small frames, a pickle each is half the work of a few dozen buffers each."""


def send(connection: Connection, message: object) -> None:
    """Sends a message that can be pickled, for ``receive`` at the other end."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = BytesIO()
    _Pickler(pickled, protocol=5, buffer_callback=buffers.append).dump(message)
    connection.send_bytes(len(buffers).to_bytes(4, "little"))
    connection.send_bytes(pickled.getbuffer())
    for buffer in buffers:
        connection.send_bytes(buffer.raw())


def receive(connection: Connection) -> Any:
    """The next message of ``send`` at the other end, which is trusted.

    Raises:
        EOFError, OSError: the other end is closed.
    """
    count = int.from_bytes(connection.recv_bytes(), "little")
    pickled = connection.recv_bytes()
    return pickle.loads(pickled, buffers=[connection.recv_bytes() for _ in range(count)])  # noqa: S301 - see above


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pl.DataFrame) and value.estimated_size() >= LARGE_BYTES:
            return pl.from_arrow, (value.to_arrow(),)
        return NotImplemented
