"""What runs in the process that observes: spans come in through a pipe, what the analyses saw goes back.

It imports nothing heavy by itself: NumPy and Polars look at their settings when they are imported, and those are made
here first.
"""

import ctypes
import gc
import importlib.util
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["BEGUN", "OUT_OF_MEMORY", "serve_observations"]

NICENESS = 10
"""A tenth of the weight of the receiver: what nobody else wants is enough, and nothing received ever waits for it."""

OOM_SCORE = 1000
"""Linux, short of memory, ends this process before any other; the receiver has nothing to offer in its place."""

THREADS = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Measured: a second thread saves no CPU time per span, and a receiver shares the machine."""

MALLOC_TRIM_THRESHOLD, MALLOC_MMAP_THRESHOLD = -1, -3
"""Their numbers in malloc.h."""

KEPT_ARRAY_BYTES = 32 * 2**20
"""The largest that the library accepts; arrays of a batch have two megabytes."""

KEPT_BYTES = 512 * 2**20
"""More than a batch takes at its peak."""

CONCLUDING = ("scipy.stats", "scipy.cluster", "scipy.spatial", "scipy.sparse")
"""What analyses import to conclude and never to observe; two thirds of a second of the start."""

BEGUN = "begun"
"""The first answer: everything is imported."""

OUT_OF_MEMORY = 12
"""The exit code (ENOMEM) when memory was refused."""


def serve_observations(connection: Connection, observe: bytes, idle_s: float) -> None:
    """Answers spans with what an observer says of them, until nobody asked for so long or the parent has ended.

    Args:
        connection: takes BEGUN first, and then brings WindowSpans, one at a time.
        observe: a pickled ObserveSpans.
        idle_s: how long to wait for more. To end gives back all memory, and to begin again costs about a second.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal or a supervisor sends them to all; the parent answers
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    os.nice(NICENESS)
    with suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)
    _keep_freed_memory()
    with suppress(EOFError, BrokenPipeError):  # the parent has ended
        answer = _imported(observe)
        from tracelith.analysis.running.messages import receive, send  # noqa: PLC0415 - see above

        send(connection, BEGUN)
        while connection.poll(idle_s):
            try:
                send(connection, answer(receive(connection)))
            except MemoryError:
                # At once, without a traceback: that could name values of spans.
                os._exit(OUT_OF_MEMORY)


def _imported(observe: bytes) -> Callable[[Any], Any]:
    """The observer with all that it imports, which is here to stay: looking for garbage in it took a third longer."""
    gc.disable()
    for package in CONCLUDING:
        _put_off(package)
    observer: Callable[[Any], Any] = pickle.loads(observe)  # noqa: S301 - of our parent
    gc.freeze()
    gc.enable()
    return observer


def _keep_freed_memory() -> None:
    """Has the C library keep what NumPy frees: it is asked for again at once, a hundred arrays of equal size per batch.

    To give pages back and have them cleared again took a sixth of the time that putting traces together takes. What
    the process holds at most does not change.
    """
    with suppress(OSError, AttributeError):  # not the GNU C library
        library = ctypes.CDLL(None)
        library.mallopt(MALLOC_MMAP_THRESHOLD, KEPT_ARRAY_BYTES)
        library.mallopt(MALLOC_TRIM_THRESHOLD, KEPT_BYTES)


def _put_off(package: str) -> None:
    """Has a package imported when something of it is first used, wherever it is named before.

    ``from scipy import stats`` finds it as an attribute of the package above; ``import scipy.stats`` would import it.
    """
    spec = importlib.util.find_spec(package)
    if package in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    loader.exec_module(module)
    above, _, name = package.rpartition(".")
    setattr(sys.modules[above], name, module)


def _end_with_parent() -> None:
    """Also in the middle of an observation, and however the parent ended: its end of the pipe is closed by then."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
