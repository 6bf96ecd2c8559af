"""How long callers wait at most: where long calls are cut off, as far as spans show."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from tracelith.analysis.call_facts import CALL_EDGES
from tracelith.analysis.failures.tables import SLOW_CALLS
from tracelith.model.facts import FactReader
from tracelith.model.findings import State

__all__ = ["Waiting", "longest_waits"]

FEWEST_CUT_OFF = 5
"""Calls given up after about the same time that show a limit."""

BEYOND = 1.15
"""A limit holds if no call lasts longer than this times it: clocks, connection set-up and rounding to two digits."""

UNBOUNDED_MS = 30_000.0
"""A call that lasted so long without being given up has no limit that protects anybody: who asked first has left."""

FEWEST_ENDLESS = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """The longest calls on one edge; timeout_ms is where long ones are cut off."""

    caller: str
    callee: str
    calls: int
    longest_ms: float
    timeout_ms: float | None
    cut_off: int
    label: str
    endless: int

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        known = self.label != "unknown"
        reason = "" if known else "no call took long enough to be cut off"
        return {
            "caller": self.caller,
            "callee": self.callee,
            "calls": self.calls,
            "longest_ms": self.longest_ms,
            "timeout_ms": self.timeout_ms,
            "cut_off": self.cut_off,
            "label": self.label,
            "status": str(State.OK if known else State.INSUFFICIENT_DATA),
            "reason": reason,
        }


def longest_waits(facts: FactReader) -> list[Waiting]:
    """Edges with a call that took a second or was given up, those without a limit first."""
    edge = ["caller", "callee"]
    calls = {(caller, callee): n for caller, callee, n in facts.merged(CALL_EDGES).select(*edge, "calls").iter_rows()}
    told = [
        _waiting(str(caller), str(callee), rows, int(calls.get((caller, callee), rows["attempts"].sum())))
        for (caller, callee), rows in facts.merged(SLOW_CALLS).partition_by(edge, as_dict=True).items()
    ]
    order = ("unbounded", "bounded", "unknown")
    told.sort(key=lambda one: (order.index(one.label), -one.longest_ms, one.caller, one.callee))
    return told


def _waiting(caller: str, callee: str, rows: pl.DataFrame, calls: int) -> Waiting:
    longest_ms = float(rows["longest_ns"].to_numpy().max()) / 1e6
    given_up = rows.filter("gave_up").sort("attempts", "length_ms", descending=True)
    limit, cut_off = None, 0
    if len(given_up):
        # Two digits may part one limit in two; whatever lies within a tenth belongs to it.
        mode = int(given_up["length_ms"][0])
        near = given_up.filter((pl.col("length_ms") >= 0.9 * mode) & (pl.col("length_ms") <= 1.1 * mode))
        cut_off = int(near["attempts"].sum())
        if cut_off >= FEWEST_CUT_OFF and longest_ms <= BEYOND * mode:
            limit = float(mode)
    endless = int(rows.filter(~pl.col("gave_up") & (pl.col("length_ms") >= UNBOUNDED_MS))["attempts"].sum())
    label = "bounded" if limit is not None else "unbounded" if endless >= FEWEST_ENDLESS else "unknown"
    return Waiting(caller, callee, calls, longest_ms, limit, cut_off if limit is not None else 0, label, endless)
