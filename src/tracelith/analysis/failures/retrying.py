"""How many attempts calls took, and storms: retries that multiply while a callee is in trouble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.call_facts import CALL_EDGES
from tracelith.analysis.exemplars import slowest_ids
from tracelith.analysis.failures.request_clock import RequestClock
from tracelith.analysis.failures.tables import FAILED_EDGES, RETRIED_MINUTES
from tracelith.analysis.statistics.stretches import degrees_of_freedom, student
from tracelith.analysis.times import MINUTE_NS, iso_time
from tracelith.model.facts import FactReader
from tracelith.model.findings import Estimate, State

__all__ = ["Retries", "amplification", "retried_edges"]

Float64 = NDArray[np.float64]

STORM = 2.2
"""Attempts per call above which retries are a storm of their own: more than one each, which is usual practice."""

STACKED_STORM = 2.0
"""Two layers that retry multiply: from this product on they are a storm, each at least at STACKED."""
STACKED = 1.3

FEWEST_CALLS = 20
SHORTEST_MINUTES = 5
_PAUSE_NS = 30 * MINUTE_NS
_PAUSE_CALLS = 5.0
"""Minutes with retries that lie closer together, in time or in calls that may be expected meanwhile, belong to the same
trouble."""

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Minutes with retries that belong together.

    Attributes:
        calls: in that time, those that were not tried again included. again: further attempts. Who goes on after a
            failure and makes the same call for the next item does not try again, though it looks like that; so both
            are reckoned from how many calls a request of the caller usually makes.
    """

    start_ns: int
    end_ns: int
    calls: float
    again: float
    ranks: tuple[str, ...]

    @property
    def amplification(self) -> float:
        return 1 + self.again / max(self.calls, 1.0)

    @property
    def tells(self) -> bool:
        """Whether it is long and large enough to be told."""
        return self.calls >= FEWEST_CALLS and self.end_ns - self.start_ns >= SHORTEST_MINUTES * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Retries:
    """Attempts on one edge.

    Attributes:
        amplification: attempts per call. worst, worst_ns: the same in the worst minute with FEWEST_CALLS calls.
        stacked_on: edges before or behind it that retry at the same time. storm: whether the attempts multiply.
        in_trouble: attempts per call while it retried most. trace_ids: of that time.
    """

    caller: str
    callee: str
    calls: int
    attempts: int
    amplification: Estimate
    worst: float | None
    worst_ns: int | None
    stacked_on: tuple[str, ...]
    storm: bool
    in_trouble: float
    product: float
    trace_ids: tuple[str, ...]

    @property
    def edge(self) -> str:
        """How people write it."""
        return f"{self.caller} → {self.callee}"

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "caller": self.caller,
            "callee": self.callee,
            "calls": self.calls,
            "attempts": self.attempts,
            "amplification": self.amplification.document(),
            "worst_minute": self.worst,
            "worst_at": None if self.worst_ns is None else iso_time(self.worst_ns),
            "stacked_on": list(self.stacked_on),
            "storm": self.storm,
            "trace_ids": list(self.trace_ids),
            "status": str(self.amplification.state),
            "reason": self.amplification.reason,
        }


def amplification(calls: Float64, attempts: Float64) -> Estimate:
    """Attempts per logical call with its 95 % interval, from blocks of time.

    Args:
        calls, attempts: per block.
    """
    total = float(calls.sum())
    if total < FEWEST_CALLS:
        reason = f"{FEWEST_CALLS} calls are needed, {total:.0f} came"
        return Estimate(None, n=round(total), n_eff=total, state=State.INSUFFICIENT_DATA, reason=reason)
    ratio = float(attempts.sum()) / total
    moved = (attempts - ratio * calls)[:, None] / total
    spread = float(np.sqrt((moved**2).sum() * len(moved) / max(len(moved) - 1, 1)))
    half = spread * float(student(degrees_of_freedom(moved))[0]) if spread > 0 else 0.0
    return Estimate(ratio, max(1.0, ratio - half), ratio + half, round(total), total)


def retried_edges(facts: FactReader, block_ns: int, clock: RequestClock) -> list[Retries]:
    """Edges on which calls were ever tried again, those that multiplied most first.

    Args:
        clock: of requests from outside, to reckon how many calls an edge had at a time.
    """
    edge = ["caller", "callee"]
    again = facts.merged(CALL_EDGES).filter(pl.col("attempts") > pl.col("calls"))
    made = again.join(_caller_requests(facts), on=edge, how="left").select(*edge, "calls", "asked")
    calls = {(caller, callee): (n, n / max(asked or n, 1)) for caller, callee, n, asked in made.iter_rows()}
    by_block = facts.by_window(CALL_EDGES, block_ns).join(again.select(edge), on=edge, how="semi")
    minutes = facts.merged(RETRIED_MINUTES).partition_by(edge, as_dict=True, maintain_order=True)
    troubles = {key: _troubles(rows, *calls.get((key[0], key[1]), (0, 1.0)), clock) for key, rows in minutes.items()}
    found = [
        _retries(str(key[0]), str(key[1]), rows, minutes.get(key), troubles.get(key, []))
        for key, rows in by_block.partition_by(edge, as_dict=True, maintain_order=True).items()
    ]
    stacked = [_stacked(one, found, troubles) for one in found]
    stacked.sort(key=lambda one: (-one.storm, -one.product, -one.in_trouble, one.caller, one.callee))
    return stacked


def _caller_requests(facts: FactReader) -> pl.DataFrame:
    """Requests of each caller with a call on the edge, once for each operation that they call, as ``asked``."""
    return facts.merged(FAILED_EDGES).group_by("caller", "callee").agg(pl.col("operations").sum().alias("asked"))


def _troubles(minutes: pl.DataFrame, calls: int, each: float, clock: RequestClock) -> list[_Trouble]:
    """Minutes with retries of one edge, those that belong together put together.

    Args:
        calls: on the edge, in the whole period. each: calls of one operation that a caller's request usually makes.
    """
    at = minutes["minute_ns"].to_numpy()
    passed = np.diff(clock.read(at)) / clock.total * calls
    groups = np.concatenate([[0], np.cumsum((np.diff(at) > _PAUSE_NS) & (passed > _PAUSE_CALLS))])
    told = []
    for rows in minutes.with_columns(_group=groups).partition_by("_group", maintain_order=True):
        start, end = int(rows["minute_ns"][0]), int(rows["minute_ns"][-1]) + MINUTE_NS
        expected = calls * (clock.read(end) - clock.read(start)) / clock.total
        counted = np.maximum(rows["calls"].to_numpy(), rows["requests"].to_numpy() * each)
        again = float(np.maximum(rows["attempts"].to_numpy() - counted, 0).sum())
        most = max(float(expected), float(counted.sum()))
        trouble = _Trouble(start, end, most, again, tuple(rows["rank"].head(_EXAMPLES)))
        if trouble.tells:
            told.append(trouble)
    return told


def _retries(
    caller: str, callee: str, blocks: pl.DataFrame, minutes: pl.DataFrame | None, troubles: Sequence[_Trouble]
) -> Retries:
    calls, attempts = (blocks[name].to_numpy().astype(np.float64) for name in ("calls", "attempts"))
    worst = max(troubles, key=lambda one: one.amplification, default=None)
    busy = None
    if minutes is not None:
        ratio = minutes.filter(pl.col("calls") >= FEWEST_CALLS).with_columns(ratio=pl.col("attempts") / pl.col("calls"))
        busy = ratio.sort("ratio", "minute_ns", descending=[True, False]).head(1)
    return Retries(
        caller,
        callee,
        int(calls.sum()),
        int(attempts.sum()),
        amplification(calls, attempts),
        float(busy["ratio"][0]) if busy is not None and len(busy) else None,
        int(busy["minute_ns"][0]) if busy is not None and len(busy) else None,
        (),
        worst is not None and worst.amplification > STORM,
        worst.amplification if worst else 1.0,
        worst.amplification if worst else 1.0,
        tuple(slowest_ids(pl.Series(worst.ranks, dtype=pl.String))) if worst else (),
    )


def _stacked(
    one: Retries, others: Sequence[Retries], troubles: Mapping[tuple[Any, ...], Sequence[_Trouble]]
) -> Retries:
    """The same with the layers next to it that retry at the same time."""
    product, on = one.in_trouble, []
    for other in others:
        if one.callee != other.caller and one.caller != other.callee:
            continue
        together = [
            mine.amplification * theirs.amplification
            for mine in troubles.get((one.caller, one.callee), ())
            for theirs in troubles.get((other.caller, other.callee), ())
            if min(mine.amplification, theirs.amplification) >= STACKED
            and mine.start_ns < theirs.end_ns
            and theirs.start_ns < mine.end_ns
        ]
        if together:
            on.append(other.edge)
            product = max(product, *together)
    storm = one.storm or (bool(on) and product >= STACKED_STORM)
    return replace(one, stacked_on=tuple(sorted(on)), storm=storm, product=product)
