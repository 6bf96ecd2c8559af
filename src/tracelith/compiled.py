"""Loops over spans, compiled: for what is one pass over a trace, but a dozen passes over memory as array operations.

A compiled function takes NumPy arrays and numbers, and says in plain loops what it does; Numba makes machine code of
it at the first call with arguments of some types (up to a second), and keeps that beside the source for the next
process. It checks no index: whoever calls it vouches for them. Compiled functions that call each other share a module,
for what is kept is renewed only when its own file changes.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numba.core import caching

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])

_FunctionCache: Any = caching.FunctionCache  # half of its methods have types


def compiled(function: F) -> F:
    """The function as machine code; as Python it stays available under ``py_func``."""
    dispatcher: Any = numba.njit(nogil=True)(function)
    with suppress(RuntimeError):  # nowhere to keep it: neither beside the source nor in the user's cache may be written
        dispatcher._cache = _Kept(function)  # what njit(cache=True) does, with a class of Numba's own
    return cast("F", dispatcher)


class _Kept(_FunctionCache):  # type: ignore[misc]  # its base has no types
    """Machine code in files, made again where they are of no use.

    Numba fails on files that a full disk or a power failure has cut short, and goes on failing until somebody deletes
    them. Nor does it lock them: processes that compile one function for different types at the same moment may file
    the code for one under the name of the other.
    """

    def load_overload(self, sig: tuple[Any, ...], target_context: Any) -> Any:
        try:
            kept = super().load_overload(sig, target_context)
        except Exception:  # pickle raises anything
            kept = None
            with suppress(OSError):
                self.flush()
        return kept if kept is None or kept.signature.args == tuple(sig) else None

    def save_overload(self, sig: tuple[Any, ...], data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)
