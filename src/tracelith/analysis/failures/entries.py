"""How often entry operations succeed, what they cannot do without, and what fails inside without anybody noticing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from tracelith.analysis.failures.edges import Edge
from tracelith.analysis.failures.tables import ENTRY_EDGES, ENTRY_OUTCOMES, FAILED, FAILED_NODES, FINE, HIDDEN
from tracelith.analysis.statistics.intervals import proportion_in_time
from tracelith.analysis.statistics.weights import effective_size, speaking_rows
from tracelith.model.facts import FactReader
from tracelith.model.findings import Estimate, State

__all__ = ["Availability", "availabilities", "serial_availability", "soft_availability", "time_blocks"]

FEWEST_REQUESTS = 100
"""Below, one failure more or less is a per cent."""

ALWAYS = 0.9
"""Share of a caller's requests from which on it always makes a call."""


@dataclass(frozen=True, slots=True)
class Availability:
    """One entry operation.

    Attributes:
        availability: share of requests that did not fail. hidden: share of those with a failure inside.
        hard: services, datastores and outside systems it surely cannot do without, nearest first.
        serial: product of the availability of its own service and of all in hard, None without hard ones.
    """

    service: str
    operation: str
    requests: int
    availability: Estimate
    hidden: Estimate
    hard: tuple[str, ...]
    serial: float | None

    def document(self, trace_ids: list[str]) -> dict[str, Any]:
        """The JSON form."""
        return {
            "service": self.service,
            "operation": self.operation,
            "requests": self.requests,
            "availability": self.availability.document(),
            "serial_availability": self.serial,
            "hard_dependencies": list(self.hard),
            "hidden_errors": self.hidden.document(),
            "trace_ids": trace_ids,
            "status": str(self.availability.state),
            "reason": self.availability.reason,
        }


def serial_availability(parts: Sequence[float]) -> float:
    """Availability of a chain that needs all of its parts: their product."""
    return math.prod(parts)


def soft_availability(power: float, availability: float) -> float:
    """What a callee costs that its caller can partly do without: 1 − φ(1 − A)."""
    return 1 - power * (1 - availability)


def time_blocks(facts: FactReader, block_ns: int) -> pl.DataFrame:
    """Requests from outside per block of time, entry operation and outcome, of the kind of traces that speaks."""
    rows = facts.by_window(ENTRY_OUTCOMES, block_ns).rename({"requests": "traces"})
    return speaking_rows(rows, ["service", "operation"])


def availabilities(
    facts: FactReader, blocks: pl.DataFrame, block_ns: int, edges: Sequence[Edge], *, biased: str = ""
) -> list[Availability]:
    """Every entry operation, the least available first.

    Args:
        blocks: of time_blocks, so long. biased: why shares of failures cannot be told.
    """
    calls = facts.merged(ENTRY_EDGES).partition_by(["service", "operation"], as_dict=True)
    nodes = facts.by_window(FAILED_NODES, block_ns).filter(pl.col("own") > 0)
    down = nodes.select("window_ns", "node", down=pl.col("own") / pl.max_horizontal("requests", "own"))
    hard = {(edge.caller, edge.callee) for edge in edges if edge.dependency == "hard"}
    told = []
    for (service, operation), rows in blocks.partition_by(["service", "operation"], as_dict=True).items():
        needed = _needed(str(service), calls.get((service, operation)), hard)
        serial = _serial(rows, down, (str(service), *needed)) if needed else None
        one = _availability(str(service), str(operation), rows, needed, serial)
        told.append(_untold(one, biased) if biased else one)
    told.sort(
        key=lambda one: (one.availability.value is None, one.availability.value or 0.0, one.service, one.operation)
    )
    return told


def _serial(rows: pl.DataFrame, down: pl.DataFrame, parts: tuple[str, ...]) -> float:
    """Product of the availability of these parts, each at the times at which requests of the operation came.

    Retries make calls most frequent when a part is down, so counting its calls would make it look worse than it is.
    """
    asked = rows.group_by("window_ns").agg(pl.col("weight").sum())
    lost = asked.join(down.filter(pl.col("node").is_in(list(parts))), on="window_ns")
    shares = lost.group_by("node").agg((pl.col("weight") * pl.col("down")).sum() / float(asked["weight"].sum()))
    return serial_availability([1 - share for share in shares["weight"]])


def _untold(one: Availability, biased: str) -> Availability:
    """The same without shares: those of the traces that were kept are not those of the requests that came."""
    untold = Estimate(None, n=one.requests, state=State.NOT_IDENTIFIABLE, reason=biased)
    return replace(one, availability=untold, hidden=untold, serial=None)


def _availability(
    service: str, operation: str, rows: pl.DataFrame, hard: tuple[str, ...], serial: float | None
) -> Availability:
    requests = int(rows["traces"].sum())
    reason = f"{FEWEST_REQUESTS} requests are needed, {requests} came"
    answered = rows.filter(pl.col("outcome") != FAILED)
    return Availability(
        service,
        operation,
        requests,
        _share(rows, [FINE, HIDDEN], reason),
        _share(answered, [HIDDEN], reason),
        hard,
        serial,
    )


def _share(rows: pl.DataFrame, outcomes: Sequence[int], reason: str) -> Estimate:
    """Share of these outcomes, with an interval for what differs from time to time."""
    chosen = pl.col("weight").filter(pl.col("outcome").is_in(list(outcomes))).sum()
    in_time = rows.group_by("window_ns").agg(chosen.alias("part"), pl.col("weight").sum()).sort("window_ns")
    size = effective_size(rows["weight"].to_numpy(), rows["weight_squares"].to_numpy())
    return proportion_in_time(
        in_time["part"].to_numpy().astype(np.float64),
        in_time["weight"].to_numpy().astype(np.float64),
        size,
        n=int(rows["traces"].sum()),
        minimum=FEWEST_REQUESTS,
        reason=reason,
    )


def _needed(service: str, calls: pl.DataFrame | None, hard: set[tuple[str, str]]) -> tuple[str, ...]:
    """What an entry operation reaches by calls that always happen and whose failure fails the caller."""
    if calls is None:
        return ()
    made = {(caller, callee): n for caller, callee, n in calls.select("caller", "callee", "requests").iter_rows()}
    into: Mapping[str, int] = dict(calls.group_by("callee").agg(pl.col("requests").sum()).iter_rows())
    always = {
        pair for pair, n in made.items() if pair in hard and n >= ALWAYS * min(into.get(pair[0], n), max(made.values()))
    }
    found = [service]
    for name in found:
        found += sorted({callee for caller, callee in always if caller == name} - set(found))
    return tuple(found[1:])
