"""Observing in a process of its own, so that receiving always comes first.

In one process, the analyses and the receiver compete for the interpreter lock and, at equal priority, for the
processors; and an analysis that takes all memory, or that a fault in native code ends, takes the receiver with it. The
process here has a low priority, is the first to go when memory is short, and is begun again when it is gone.

A Process and a Pipe of the standard library: there is one process and one question at a time, and a pool
(concurrent.futures) has no way to end a task that runs, nor notices that its parent was killed, and reports the death
of a worker without saying how it died. Spawned, not forked: a fork copies locks that threads of gRPC and DuckDB hold.
Nothing but our own two processes has an end of the pipe, so what is pickled may be trusted.
"""

import multiprocessing
import pickle
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from tracelith.analysis.running.messages import receive, send
from tracelith.analysis.running.observing import (
    Observed,
    ObserverDied,
    ObserverStopped,
    ObserveSpans,
    observe_registered,
)
from tracelith.analysis.running.worker import OUT_OF_MEMORY, serve_observations
from tracelith.model.ports import WindowSpans

__all__ = ["ObservingProcess"]

IDLE_S = 60.0
"""The process of a quiet server ends, and a busy one keeps it."""

EXIT_TIMEOUT_S = 5.0
"""How long a process whose end of the pipe is closed may take to end."""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    ready: bool = False


class ObservingProcess:
    """An observer (ObserveSpans) that asks another process, which is begun at the first question if not before.

    One thread may ask at a time; stop may be called from any thread.
    """

    def __init__(
        self,
        observe: ObserveSpans = observe_registered,
        *,
        idle_s: float = IDLE_S,
        on_death: Callable[[str], None] = lambda _how: None,
    ) -> None:
        """Begins nothing yet.

        Args:
            observe: the observer in the other process; pickled by name, so a function of a module.
            idle_s: the process ends after so long without a question.
            on_death: called with a sentence when the process ends in the middle of an observation.
        """
        self._observe = observe
        self._idle_s = idle_s
        self._on_death = on_death
        self._worker: _Worker | None = None
        self._stopped = False
        self._guard = threading.Lock()

    def __call__(self, spans: WindowSpans) -> Observed:
        """What the observer says of the spans.

        Raises:
            ObserverDied: the process could not begin, or ended before it answered. The next call begins another.
            ObserverStopped: stop was called.
        """
        answer = self._ask(spans)
        # None: it ended for want of questions just when this one came. A new process waits for longer than that takes.
        answer = answer if answer is not None else self._ask(spans)
        if answer is None:
            raise ObserverDied("the process that analyses ends by itself", began=False)
        return answer

    def begin(self) -> None:
        """Begins the process, if there is none, without waiting for it: it is ready earlier when a question comes.

        Raises:
            ObserverDied: it could not be started.
            ObserverStopped: stop was called.
        """
        self._begun()

    @property
    def pid(self) -> int | None:
        """Process number of the process, None while there is none."""
        worker = self._worker
        return worker.process.pid if worker is not None and worker.process.is_alive() else None

    def stop(self) -> None:
        """Ends the process at once, whatever it does; whoever waits for an answer gets ObserverStopped."""
        with self._guard:
            self._stopped = True
            if self._worker is not None:
                self._worker.process.kill()
                self._worker.process.join()

    def _ask(self, spans: WindowSpans) -> Observed | None:
        worker = self._running()
        try:
            send(worker.connection, spans)
            observed: Observed = receive(worker.connection)
        except (EOFError, OSError):
            exit_code = self._ended(worker)
        except BaseException:  # the answer is lost, and the next one must not be taken for it
            worker.process.kill()
            raise
        else:
            return observed
        if exit_code == 0:
            return None
        message = f"the process that analyses {_how(exit_code)} over {spans.spans.height:,} spans"
        self._on_death(message)
        raise ObserverDied(message, began=True)

    def _running(self) -> _Worker:
        """The process, begun if there is none, when it can be asked."""
        worker = self._begun()
        if worker.ready:
            return worker
        try:
            receive(worker.connection)
        except (EOFError, OSError):
            message = f"the process that analyses {_how(self._ended(worker))} before it began"
            raise ObserverDied(message, began=False) from None
        worker.ready = True
        return worker

    def _begun(self) -> _Worker:
        with self._guard:
            if self._worker is None or not self._worker.process.is_alive():
                if self._stopped:
                    raise ObserverStopped
                self._worker = self._begin()
            return self._worker

    def _begin(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        connection, theirs = context.Pipe()
        process = context.Process(
            target=serve_observations,
            args=(theirs, pickle.dumps(self._observe), self._idle_s),
            name="tracelith-analyses",
            daemon=True,
        )
        try:
            process.start()
        except OSError as error:
            connection.close()
            raise ObserverDied(f"no process for analyses can be started: {error.strerror}", began=False) from error
        finally:
            theirs.close()  # so that an end of the process is an end of the pipe
        return _Worker(process, connection)

    def _ended(self, worker: _Worker) -> int:
        """Exit code of a process whose pipe has ended; negative for the signal that ended it."""
        worker.connection.close()
        worker.process.join(EXIT_TIMEOUT_S)
        worker.process.kill()  # if it has not ended by now; otherwise it changes nothing
        worker.process.join()
        with self._guard:
            self._worker = None
            if self._stopped:
                raise ObserverStopped
        return worker.process.exitcode or 0


def _how(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "was killed (SIGKILL, as by Linux when memory is short)"
    if exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return "ran out of memory" if exit_code == OUT_OF_MEMORY else f"ended with code {exit_code}"
