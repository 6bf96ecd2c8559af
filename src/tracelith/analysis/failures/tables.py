"""Fact tables about failures: bounded by windows, edges and entry operations; by minutes only while something fails."""

import polars as pl

from tracelith.analysis.exemplars import SLOT_KEY
from tracelith.analysis.statistics.weights import SAMPLING_KEY
from tracelith.model.facts import FactTable

__all__ = [
    "ALONE",
    "ENTRY_EDGES",
    "ENTRY_OUTCOMES",
    "FAILED",
    "FAILED_EDGES",
    "FAILED_MINUTES",
    "FAILED_NODES",
    "FAILURE_EXEMPLARS",
    "FINE",
    "HIDDEN",
    "NOTABLE_SHARE",
    "OTHERS",
    "QUIET",
    "RETRIED_MINUTES",
    "SHARED",
    "SLOW_CALLS",
]


NOTABLE_SHARE = 0.05
"""Minutes in which a smaller share fails are not kept one by one: a service that always fails one request in a
hundred would otherwise have a row for every minute of half a year."""

QUIET, ALONE, SHARED, OTHERS = 0, 1, 2, 3
"""What failed of what a caller request waited for: nothing, this callee alone, this and another one, only others."""

FINE, HIDDEN, FAILED = 0, 1, 2
"""How a request from outside ended: well, well although something failed inside, badly."""

_WEIGHTED = {"weight": pl.Float64, "weight_squares": pl.Float64}

FAILED_EDGES = FactTable(
    "failed_edges",
    keys={
        "caller": pl.String,
        "callee": pl.String,
        "callee_kind": pl.String,
        SAMPLING_KEY: pl.Boolean,
        "state": pl.Int8,
        "caller_failed": pl.Boolean,
    },
    sums={
        "requests": pl.Int64,
        "operations": pl.Int64,
        **_WEIGHTED,
        "failed_if_failed": pl.Float64,
        "failed_if_quiet": pl.Float64,
        "compared": pl.Float64,
    },
)
"""Caller requests that waited for at least one answer of the callee, and how many of its operations each called, added
up. The last three compare within minutes (sums of
Mantel and Haenszel), in the rows of ALONE with a failed caller: how often the caller failed if the callee did, and if
nothing did, each times the weight in ``compared``."""

FAILED_NODES = FactTable(
    "failed_nodes",
    keys={"node": pl.String, "node_kind": pl.String},
    sums={"requests": pl.Int64, "failures": pl.Int64, "own": pl.Int64},
)
"""Requests of each service, datastore and outside system: attempts of awaited calls, and requests from outside. own:
those that failed although nothing failed that they waited for."""

FAILED_MINUTES = FactTable(
    "failed_minutes",
    keys={
        "origin": pl.String,
        "origin_kind": pl.String,
        "service": pl.String,
        "operation": pl.String,
        "minute_ns": pl.Int64,
    },
    sums={"failures": pl.Int64},
    maxima={"rank": pl.String},
)
"""Failed requests by whose doing they are, in minutes in which the origin failed at least NOTABLE_SHARE of its requests
on its own account: of which service, and (for requests from outside) of which operation; a slow example of each.
service is empty where the origin itself is told, which may have no spans."""

ENTRY_OUTCOMES = FactTable(
    "entry_outcomes",
    keys={"service": pl.String, "operation": pl.String, SAMPLING_KEY: pl.Boolean, "outcome": pl.Int8},
    sums={"requests": pl.Int64, **_WEIGHTED},
)
"""Requests from outside, of complete traces."""

ENTRY_EDGES = FactTable(
    "entry_edges",
    keys={
        "service": pl.String,
        "operation": pl.String,
        "caller": pl.String,
        "callee": pl.String,
        "callee_kind": pl.String,
    },
    sums={"requests": pl.Int64},
)
"""Requests from outside during which the caller waited for the callee at least once."""

RETRIED_MINUTES = FactTable(
    "retried_minutes",
    keys={"caller": pl.String, "callee": pl.String, "minute_ns": pl.Int64},
    sums={"requests": pl.Int64, "calls": pl.Int64, "attempts": pl.Int64},
    maxima={"rank": pl.String},
)
"""Minutes in which at least NOTABLE_SHARE of the calls on an edge were tried again. requests: of the caller, once for
each operation that they called."""

SLOW_CALLS = FactTable(
    "slow_calls",
    keys={
        "caller": pl.String,
        "callee": pl.String,
        "callee_kind": pl.String,
        "length_ms": pl.Int64,
        "gave_up": pl.Boolean,
    },
    sums={"attempts": pl.Int64},
    maxima={"longest_ns": pl.Int64},
)
"""Attempts that took a second or longer, and shorter ones that the caller gave up; length_ms has two digits."""

FAILURE_EXEMPLARS = FactTable(
    "failure_exemplars",
    keys={"kind": pl.String, "first": pl.String, "second": pl.String, SLOT_KEY: pl.Int8},
    sums={},
    maxima={"rank": pl.String},
)
"""Example traces. kind ``edge``: the callee's failure (second) failed the caller (first); ``hidden``: a request of an
entry operation (service, operation) ended well although something failed inside."""
