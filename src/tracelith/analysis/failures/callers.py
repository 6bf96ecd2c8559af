"""Facts about callers and callees: what failed of both, and which requests from outside needed them."""

import numpy as np
import polars as pl

from tracelith.analysis.failures.tables import ALONE, ENTRY_EDGES, FAILED_EDGES, QUIET
from tracelith.analysis.failures.units import CallerUnits
from tracelith.analysis.places import call_cells, places_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.pairs import number_pairs
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.compiled import compiled
from tracelith.forest.view import Float64, ForestView, Int32, Int64

__all__ = ["entry_edges", "failed_edges"]

_STATES = 4
_KINDS = 2 * _STATES
"""Of units: each state, and whether the caller failed."""

_COMPARED_KIND = 2 * ALONE + 1


def failed_edges(view: ForestView, units: CallerUnits) -> pl.DataFrame:
    """Facts of FAILED_EDGES."""
    cells, places = view.once(call_cells), view.once(places_of)
    kind = 2 * units.state + units.caller_failed
    weight = places.weight[view.forest.trace[units.request]]
    counts, weights = _tally(units.cell * _KINDS + kind, cells.size * _KINDS, units.operations, weight)
    compared = _compared(counts[0].reshape(-1, _STATES, 2))
    # Counted by the minute for the sake of the comparison; one row carries it, whether there are such units or not.
    found = np.flatnonzero((counts[0] > 0) | (compared[0] > 0))
    cell, kind = np.divmod(found, _KINDS)
    rows = groups_of(
        {"place": cells.place[cell], "caller": cells.caller[cell], "callee": cells.callee[cell], "kind": kind}
    )
    names = ("requests", "operations", "weight", "weight_squares", "compared", "failed_if_failed", "failed_if_quiet")
    columns = (*counts, *weights, *compared)
    frame = pl.DataFrame(
        {
            **places.columns(rows.keys["place"]),
            "caller": rows.keys["caller"],
            "callee": rows.keys["callee"],
            "callee_kind": rows.keys["callee"],
            "state": rows.keys["kind"] // 2,
            "caller_failed": rows.keys["kind"] % 2 > 0,
            **{name: rows.sums(column[found]) for name, column in zip(names, columns, strict=True)},
        }
    )
    nodes = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    return fact_rows(FAILED_EDGES, frame, view, caller=view.forest.services, **nodes)


def entry_edges(view: ForestView, units: CallerUnits) -> pl.DataFrame:
    """Facts of ENTRY_EDGES."""
    chains, cells = view.chains, view.once(call_cells)
    # Spans outside chains have chain -1, the last one here.
    from_outside = np.append(np.where(chains.restarted, -1, np.arange(chains.root.size)), -1).astype(np.int32)
    chain = from_outside[chains.span_chain[units.request]]
    _, once = number_pairs(chain, units.cell, chains.root.size, cells.size)
    counted = groups_of({"cell": units.cell[once], "entry": chains.entry[chain[once]]})
    keys = {name: column[counted.keys["cell"]] for name, column in cells.keys("stratum", "caller", "callee").items()}
    edges = groups_of({**keys, "entry": counted.keys["entry"]})
    rows = {**edges.keys, "callee_kind": edges.keys["callee"], "requests": edges.sums(counted.counts())}
    names = {"callee": view.calls.node_names, "callee_kind": view.calls.node_kinds}
    placed = view.once(trace_strata).placed(pl.DataFrame(rows))
    return fact_rows(ENTRY_EDGES, placed, view, caller=view.forest.services, **names)


def _compared(requests: Int64) -> Float64:
    """The sums of Mantel and Haenszel over minutes in which a callee failed and did not fail.

    Args:
        requests: int64[k, states, 2], by whether the caller failed.

    Returns:
        float64[3, k * kinds]: the weight, and how often the caller failed if the callee did, and if nothing did.
    """
    quiet, alone = requests[:, QUIET], requests[:, ALONE]
    both = np.flatnonzero(quiet.any(axis=1) & alone.any(axis=1))
    quiet, alone = quiet[both].astype(np.float64), alone[both].astype(np.float64)
    n0, n1 = quiet.sum(axis=1), alone.sum(axis=1)
    sums = np.zeros((3, requests.size))
    sums[:, both * _KINDS + _COMPARED_KIND] = np.stack([n1 * n0, alone[:, 1] * n0, quiet[:, 1] * n1]) / (n0 + n1)
    return sums


@compiled
def _tally(code: Int32, codes: int, operations: Int32, weight: Float64) -> tuple[Int64, Float64]:
    """Rows and operations of each code, int64[2, codes], and their weights and squared weights, float64[2, codes]."""
    counts, weights = np.zeros((2, codes), np.int64), np.zeros((2, codes))
    for row in range(code.size):
        at = code[row]
        counts[0, at] += 1
        counts[1, at] += operations[row]
        weights[0, at] += weight[row]
        weights[1, at] += weight[row] * weight[row]
    return counts, weights
