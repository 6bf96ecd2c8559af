"""Where traces are counted, window and environment, as one small number: told once for all who group by it."""

from dataclasses import dataclass

import polars as pl

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.forest.view import ForestView, Int32
from tracelith.model.schema import WINDOW_NS

__all__ = ["TraceStrata", "trace_strata"]


@dataclass(frozen=True, slots=True)
class TraceStrata:
    """Attributes: stratum: int32[t], row of places. places: window_ns and environment (code), sorted by them."""

    stratum: Int32
    places: pl.DataFrame

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with window and environment in place of their column ``stratum``."""
        return pl.concat([rows.drop("stratum"), self.places[rows["stratum"].to_numpy()]], how="horizontal")


def trace_strata(view: ForestView) -> TraceStrata:
    """The strata of all traces; ask for them by ``view.once``."""
    forest = view.forest
    # Numbered, windows lie so close together that a table of all takes no sort.
    strata = groups_of({"window": forest.trace_window // WINDOW_NS, "environment": forest.trace_environment})
    places = {"window_ns": strata.keys["window"] * WINDOW_NS, "environment": strata.keys["environment"]}
    return TraceStrata(strata.group, pl.DataFrame(places))
