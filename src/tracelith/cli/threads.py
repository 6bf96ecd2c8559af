"""How many threads the numeric libraries of a server may use; they ask once, when they are first imported."""

import os

__all__ = ["bound_threads"]


def bound_threads() -> None:
    """Leaves half of the cores to receiving, for variables that are not set already. Call before importing Polars.

    Spans arrive in frames too small to gain from many threads, which only wake and wait for each other: on two cores,
    one Polars and one DuckDB thread receive batches of 512 spans a third faster than two of each. Idle BLAS threads
    spin, and nothing here multiplies matrices.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
