"""Loops over spans, compiled: for what is one pass over a trace, but a dozen passes over memory as array operations.

A compiled function takes NumPy arrays and numbers, and says in plain loops what it does; Numba makes machine code of
it at the first call with arguments of some types (up to a second), and keeps that beside the source for the next
process. It checks no index: whoever calls it vouches for them. Compiled functions that call each other share a module,
for what is kept is renewed only when its own file changes.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code; as Python it stays available under ``py_func``."""
    try:
        return cast("F", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # nowhere to keep it: neither beside the source nor in the user's cache may be written
        return cast("F", numba.njit(nogil=True)(function))
