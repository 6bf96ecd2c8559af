"""Where traces and calls are counted, as one small number each, so that counting is a matter of adding up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.weights import SAMPLING_KEY, known_sampling
from tracelith.analysis.times import MINUTE_NS
from tracelith.analysis.trace_strata import trace_strata
from tracelith.forest.arrays import added_up
from tracelith.forest.view import Bool, Float64, ForestView, Int32, Int64

__all__ = ["CallCells", "Places", "call_cells", "places_of"]


@dataclass(frozen=True, slots=True)
class Places:
    """Window, environment and kind of sampling of each trace.

    Attributes:
        of_trace: int32[t], index into the others. weight: float64[t], 1 where it is unknown. minute: int64[t], in which
            each trace began.
        stratum: int32[p], window and environment as one (see trace_strata). window_ns, environment, known: per place.
    """

    of_trace: Int32
    weight: Float64
    minute: Int64
    stratum: Int32
    window_ns: Int64
    environment: Int32
    known: Bool

    def columns(self, place: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """Window, environment and kind of sampling as columns."""
        return {
            "window_ns": self.window_ns[place],
            "environment": self.environment[place],
            SAMPLING_KEY: self.known[place],
        }


@dataclass(frozen=True, slots=True)
class CallCells:
    """Place and minute, caller and callee of each attempt; k distinct ones, sorted by them.

    Attributes:
        of_call: int32[m], index into the others. trace: int32[m], in which each attempt counts.
        place: int32[k]. minute: int64[k]. caller: int32[k], service. callee: int32[k], node.
        stratum: int32[k], of the place (see trace_strata).
    """

    of_call: Int32
    trace: Int32
    place: Int32
    minute: Int64
    caller: Int32
    callee: Int32
    stratum: Int32

    @property
    def size(self) -> int:
        """How many cells there are."""
        return self.place.size

    def count(self, chosen: Bool) -> Int64:
        """How many of the chosen attempts are in each cell, int64[k]."""
        return added_up(self.of_call, self.size, chosen.astype(np.int64))

    def keys(self, *names: str) -> Mapping[str, NDArray[np.integer]]:
        """These attributes by name."""
        return {name: getattr(self, name) for name in names}


def places_of(view: ForestView) -> Places:
    """The places of a view's traces; ask for them by ``view.once(places_of)``."""
    forest = view.forest
    known, weight = known_sampling(forest.trace_weight)
    strata = view.once(trace_strata)
    groups = groups_of({"stratum": strata.stratum, "known": known})
    stratum = groups.keys["stratum"]
    return Places(
        groups.group,
        weight,
        forest.start_ns[forest.trace_first[:-1]] // MINUTE_NS,
        stratum,
        strata.window_ns[stratum],
        strata.environment[stratum],
        groups.keys["known"],
    )


def call_cells(view: ForestView) -> CallCells:
    """The cells of a view's calls; ask for them by ``view.once(call_cells)``."""
    calls, places = view.calls, view.once(places_of)
    # A call joined by a link may have its client in a trace outside this window: it counts where its receiver is.
    trace = view.forest.trace[np.where(calls.client >= 0, calls.client, calls.server)]
    moments = groups_of({"place": places.of_trace, "minute": places.minute})
    cells = groups_of({"moment": moments.group[trace], "caller": calls.caller, "callee": calls.callee})
    moment = cells.keys["moment"]
    place = moments.keys["place"][moment]
    return CallCells(
        cells.group,
        trace,
        place,
        moments.keys["minute"][moment],
        cells.keys["caller"],
        cells.keys["callee"],
        places.stratum[place],
    )
