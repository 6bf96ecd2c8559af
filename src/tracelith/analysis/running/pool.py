"""Several observers in processes of their own, for commands that have a machine to themselves.

Windows do not depend on each other and facts merge in any order, so as many batches are observed at once as there are
processors. Processes rather than threads: half of observing holds the interpreter lock. A server keeps to one observer
(running.process): receiving comes first there.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

from tracelith.analysis.running.observing import Observed, ObserveSpans
from tracelith.analysis.running.process import ObservingProcess
from tracelith.model.ports import WindowSpans

__all__ = ["observing_pool", "usable_processors"]

IDLE_S = 600.0
"""Whoever asked for the pool ends its processes; they wait as long as a batch may take to be read."""


def usable_processors() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def observing_pool(observe: ObserveSpans, size: int) -> Iterator[Callable[[WindowSpans], Observed]]:
    """An observer that so many threads may ask at once; its processes begin now and end with it.

    Args:
        observe: the observer in each process; pickled by name, so a function of a module or a partial of one.
        size: how many processes.
    """
    idle: SimpleQueue[ObservingProcess] = SimpleQueue()

    def ask(spans: WindowSpans) -> Observed:
        process = idle.get()
        try:
            return process(spans)
        finally:
            idle.put(process)

    with ExitStack() as stack:
        for _ in range(size):
            process = ObservingProcess(observe, idle_s=IDLE_S)
            stack.callback(process.stop)
            process.begin()
            idle.put(process)
        yield ask
