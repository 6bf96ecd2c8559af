"""Runs many cases, several at a time in processes of their own, and keeps what is finished."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tracelith.evaluate.claims import Case
from tracelith.evaluate.one_case import CaseResult, evaluate_case
from tracelith.evaluate.recording import read_results, write_result
from tracelith.model.errors import AnalysisFailed

__all__ = ["Progress", "run_cases"]

Progress = Callable[[int, int], None]
"""Called with cases done and cases in total."""


def run_cases(
    cases: Sequence[Case], *, jobs: int = 1, out: Path | None = None, on_progress: Progress | None = None
) -> list[CaseResult]:
    """The results of all cases, in their order.

    Args:
        cases: what to run; the same case twice is run once.
        jobs: processes; with one everything happens in this process.
        out: finished cases are kept in this folder, and those that the same code left there are not run again.
        on_progress: told after every case.

    Raises:
        AnalysisFailed: a case could not be evaluated, or its process died.
        KeyboardInterrupt: the user had enough; what is finished is kept.
    """
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    done = read_results(out, cases) if out is not None else {}
    waiting = [case for case in dict.fromkeys(cases) if case not in done]
    tell = on_progress or _tell_nobody
    tell(len(done), len(done) + len(waiting))
    for result in _evaluated(waiting, jobs):
        if out is not None:
            write_result(out, result)
        done[result.case] = result
        tell(len(done), len(set(cases)))
    return [done[case] for case in dict.fromkeys(cases)]


def _tell_nobody(_done: int, _total: int) -> None:
    """No progress is shown."""


def _evaluated(cases: Sequence[Case], jobs: int) -> Iterator[CaseResult]:
    """Results as they come."""
    if jobs <= 1 or len(cases) <= 1:
        for case in cases:
            yield _named(partial(evaluate_case, case), case)
        return
    with _processes(min(jobs, len(cases))) as pool:
        futures: dict[Future[CaseResult], Case] = {pool.submit(evaluate_case, case): case for case in cases}
        for future in as_completed(futures):
            yield _named(future.result, futures.pop(future))


def _named(result: Callable[[], CaseResult], case: Case) -> CaseResult:
    try:
        return result()
    except BrokenProcessPool as problem:
        raise AnalysisFailed(
            f"a process died while it evaluated a case, perhaps for want of memory; try again with --jobs 1 "
            f"(this or one of its neighbours: {case.name})"
        ) from problem
    except Exception as problem:
        raise AnalysisFailed(f"{case.name}: {type(problem).__name__}: {problem}") from problem


@contextmanager
def _processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are gone afterwards, also if they are in the middle of a case."""
    # Numeric libraries ask once how many threads they may use, when they are first imported.
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    settings = {"POLARS_MAX_THREADS": threads, "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_the_parent)
    earlier = set(multiprocessing.active_children())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - earlier:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _leave_interrupts_to_the_parent() -> None:
    """Control-C reaches every process of a terminal; the parent decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
