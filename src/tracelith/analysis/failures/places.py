"""Where traces are counted, as one small number each, so that counting is a matter of adding up."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.weights import SAMPLING_KEY, known_sampling
from tracelith.analysis.times import MINUTE_NS
from tracelith.forest.view import ForestView
from tracelith.model.schema import WINDOW_NS

__all__ = ["Counted", "Places", "distinct", "places_of"]

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counted:
    """Cells with rows in them.

    Attributes:
        place, cell: int64[k], which. rows: int64[k], how many. weight, weight_squares: float64[k], their sums.
        amount: int64[k], likewise, if there is one.
    """

    place: Int64
    cell: Int64
    rows: Int64
    weight: Float64
    weight_squares: Float64
    amount: Int64 | None


@dataclass(frozen=True, slots=True)
class Places:
    """Window, environment and kind of sampling of each trace.

    Attributes:
        of_trace: int32[t], index into the others. weight: float64[t], 1 where it is unknown. minute: int64[t], in which
            each trace began, counted from the first.
        window_ns, environment, known: per place.
    """

    of_trace: Int32
    weight: Float64
    minute: Int64
    window_ns: Int64
    environment: Int32
    known: NDArray[np.bool_]

    def count(
        self, trace: NDArray[np.integer], cell: NDArray[np.integer], cells: int, amount: Int64 | None = None
    ) -> Counted:
        """Rows and weights per place and cell.

        Args:
            trace: of each row. cell: of each row, below ``cells``. amount: to be added up as well.
        """
        groups = groups_of({"code": self.of_trace[trace].astype(np.int64) * cells + cell})
        code, weight = groups.keys["code"], self.weight[trace]
        rows, squares = groups.counts(), groups.sums(weight**2)
        further = None if amount is None else groups.sums(amount)
        return Counted(code // cells, code % cells, rows, groups.sums(weight), squares, further)

    def columns(self, place: NDArray[np.integer]) -> Mapping[str, pl.Series]:
        """Window, environment and kind of sampling as columns."""
        return {
            "window_ns": pl.Series(self.window_ns[place], dtype=pl.Int64),
            "environment": pl.Series(self.environment[place], dtype=pl.Int32),
            SAMPLING_KEY: pl.Series(self.known[place], dtype=pl.Boolean),
        }


def places_of(view: ForestView) -> Places:
    """The places of a view's traces."""
    forest = view.forest
    known, weight = known_sampling(forest.trace_weight)
    groups = groups_of(
        {
            "window": forest.trace_window // WINDOW_NS,
            "environment": forest.trace_environment,
            "known": known.astype(np.int8),
        }
    )
    minute = forest.start_ns[forest.trace_first[:-1]] // MINUTE_NS
    return Places(
        groups.group,
        weight,
        minute - minute.min(initial=minute[0] if minute.size else 0),
        groups.keys["window"] * WINDOW_NS,
        groups.keys["environment"],
        groups.keys["known"].astype(np.bool_),
    )


def distinct(codes: Int64) -> Int64:
    """Each code once, ascending; sorting is faster here than hashing, which np.unique does."""
    ordered = np.sort(codes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if ordered.size else ordered
