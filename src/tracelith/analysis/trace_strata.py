"""Where traces are counted, window and environment, as one small number: told once for all who group by it."""

from dataclasses import dataclass

import polars as pl

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.forest.view import ForestView, Int32, Int64
from tracelith.model.schema import WINDOW_NS

__all__ = ["TraceStrata", "trace_strata"]


@dataclass(frozen=True, slots=True)
class TraceStrata:
    """Attributes: stratum: int32[t]. window_ns, environment: of each stratum, the environment as a code."""

    stratum: Int32
    window_ns: Int64
    environment: Int32

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with the window and environment of their column ``stratum``."""
        stratum = rows["stratum"].to_numpy()
        return rows.hstack(
            [pl.Series("window_ns", self.window_ns[stratum]), pl.Series("environment", self.environment[stratum])]
        )


def trace_strata(view: ForestView) -> TraceStrata:
    """The strata of all traces; ask for them by ``view.once``."""
    forest = view.forest
    # Numbered, windows lie so close together that a table of all takes no sort.
    strata = groups_of({"window": forest.trace_window // WINDOW_NS, "environment": forest.trace_environment})
    return TraceStrata(strata.group, strata.keys["window"] * WINDOW_NS, strata.keys["environment"])
