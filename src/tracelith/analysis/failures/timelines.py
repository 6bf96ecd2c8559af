"""How much of something came between two moments, asked for thousands of services and stretches at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.failures.stretches import window_lengths
from tracelith.analysis.times import MINUTE_NS

__all__ = ["Timelines"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_MINUTES = 1 << 40
"""More than a moment has minutes, so that name and moment fit into one number."""


@dataclass(frozen=True, slots=True)
class Timelines:
    """Numbers by window of several names; within a window they come evenly.

    Attributes:
        codes: by name. key: code and start of each window, ascending. minutes: its length.
        before: per column, the sum of all windows before each, and of all at the end.
    """

    codes: Mapping[str, int]
    key: Int64
    minutes: Int64
    before: Mapping[str, Float64]

    @classmethod
    def of(cls, windows: pl.DataFrame, name: str, columns: Sequence[str]) -> "Timelines":
        """Timelines of these columns.

        Args:
            windows: with window_ns. name: column that tells one timeline from another.
        """
        summed = windows.group_by(name, "window_ns").agg(pl.col(*columns).sum()).sort(name, "window_ns")
        names = summed[name].unique(maintain_order=True)
        code = summed[name].rle_id().to_numpy().astype(np.int64)
        at = summed["window_ns"].to_numpy()
        sums = {column: np.append(0.0, np.cumsum(summed[column].to_numpy().astype(np.float64))) for column in columns}
        codes = {str(one): number for number, one in enumerate(names)}
        return cls(codes, code * _MINUTES + at // MINUTE_NS, window_lengths(at) // MINUTE_NS, sums)

    def between(self, names: Sequence[str], column: str, start_ns: Int64, end_ns: Int64) -> Float64:
        """Sum of a column between two moments of each name; a window that sticks out counts by how much it overlaps."""
        code = np.array([self.codes.get(name, -1) for name in names], dtype=np.int64)
        found: Float64 = self._up_to(code, column, end_ns) - self._up_to(code, column, start_ns)
        return np.where(code >= 0, found, 0.0)

    def _up_to(self, code: Int64, column: str, moment_ns: Int64) -> Float64:
        """Sum of a column up to a moment, and of all names before."""
        before, minute = self.before[column], moment_ns // MINUTE_NS
        if not self.key.size:
            return np.zeros(code.size)
        last = np.searchsorted(self.key, code * _MINUTES + minute, side="right") - 1
        at = np.maximum(last, 0)
        mine = self.key[at] // _MINUTES == code
        passed = np.where(mine, (minute - self.key[at] % _MINUTES) / self.minutes[at], 1.0)
        within = before[at] + np.clip(passed, 0, 1) * (before[at + 1] - before[at])
        return np.where(last >= 0, within, 0.0)
