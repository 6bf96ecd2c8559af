"""What runs in the process that observes: spans come in through a pipe, what the analyses saw goes back.

It imports nothing heavy by itself: Polars looks at its settings when it is imported, and those are made here first.
"""

import os
import signal
import threading
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["BEGUN", "OUT_OF_MEMORY", "serve_observations"]

NICENESS = 10
"""A tenth of the weight of the receiver: what nobody else wants is enough, and nothing received ever waits for it."""

OOM_SCORE = 1000
"""Linux, short of memory, ends this process before any other; the receiver has nothing to offer in its place."""

POLARS_THREADS = 1
"""Measured: a second thread saves no CPU time per span, and a receiver shares the machine."""

BEGUN = "begun"
"""The first answer: everything is imported."""

OUT_OF_MEMORY = 12
"""The exit code (ENOMEM) when memory was refused."""


def serve_observations(connection: Connection, idle_s: float) -> None:
    """Answers spans with what an observer says of them, until nobody asked for so long or the parent has ended.

    Args:
        connection: brings an ObserveSpans first, and then WindowSpans, one at a time.
        idle_s: how long to wait for more. To end gives back all memory, and to begin again costs about a second.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or a supervisor sends them to all; the parent answers
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    os.nice(NICENESS)
    with suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    os.environ.setdefault("POLARS_MAX_THREADS", str(POLARS_THREADS))
    with suppress(EOFError, BrokenPipeError):  # the parent has ended
        observe = connection.recv()
        connection.send(BEGUN)
        while connection.poll(idle_s):
            try:
                connection.send(observe(connection.recv()))
            except MemoryError:
                # At once, without a traceback: that could name values of spans.
                os._exit(OUT_OF_MEMORY)


def _end_with_parent() -> None:
    """Also in the middle of an observation, and however the parent ended: its end of the pipe is closed by then."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
