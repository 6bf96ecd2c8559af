"""Whether the failure of a callee fails its caller: from requests in which nothing else failed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.failures.incidents import incidents_of, worth_of_incidents
from tracelith.analysis.failures.tables import ALONE, FAILED_EDGES, FAILURE_EXEMPLARS, QUIET, SHARED
from tracelith.analysis.statistics.intervals import Z, proportion_interval, wilson
from tracelith.analysis.statistics.weights import speaking_rows
from tracelith.model.facts import FactReader
from tracelith.model.findings import Estimate, State

__all__ = ["HARD", "SOFT", "Edge", "examples_of", "failing_edges", "noisy_or_power"]

Float64 = NDArray[np.float64]

HARD, SOFT = 0.6, 0.2
"""Lower bound of the power above which a dependency is hard, upper bound below which it is soft (metrics.md §9.1)."""

FEWEST_FAILURES, FEWEST_SUCCESSES = 10, 100
"""Of the callee, for a power to be told (metrics.md §19)."""

_ENOUGH_COMPARED = 5.0
"""Weight of comparisons within minutes, about that many failures with as many successes beside them."""

_EDGE = ["caller", "callee", "callee_kind"]

_FAILED = pl.col("state").is_in([ALONE, SHARED])


@dataclass(frozen=True, slots=True)
class Edge:
    """What failures of a callee did to its caller.

    Attributes:
        requests: caller requests with a call. failures: those in which the callee failed.
        given_failure, given_success: how often the caller failed if only this callee failed, and if nothing did.
        power: the share of callee failures that fail a caller that would not have failed otherwise (noisy or).
        adjusted: the same compared within minutes, None if too little can be compared.
    """

    caller: str
    callee: str
    callee_kind: str
    requests: int
    failures: int
    given_failure: Estimate
    given_success: Estimate
    power: Estimate
    adjusted: float | None

    @property
    def common_cause(self) -> bool:
        """Whether most of the association goes away when only requests of the same minute are compared."""
        value = self.power.value
        return value is not None and self.adjusted is not None and value > SOFT and self.adjusted < value / 2

    @property
    def dependency(self) -> str:
        """hard, partial, soft or unknown; of a common cause never hard."""
        low, high = self.power.low, self.power.high
        if self.power.state is not State.OK or low is None or high is None:
            return "unknown"
        if self.common_cause:
            return "soft" if (self.adjusted or 0.0) <= SOFT else "partial"
        if low >= HARD:
            return "hard"
        return "soft" if high <= SOFT else "partial"

    def document(self, trace_ids: list[str]) -> dict[str, Any]:
        """The JSON form."""
        return {
            "caller": self.caller,
            "callee": self.callee,
            "callee_kind": self.callee_kind,
            "requests": self.requests,
            "callee_failures": self.failures,
            "failed_given_failure": self.given_failure.document(),
            "failed_given_success": self.given_success.document(),
            "power": self.power.document(),
            "adjusted_power": self.adjusted,
            "common_cause": self.common_cause,
            "dependency": self.dependency,
            "trace_ids": trace_ids,
            "status": str(self.power.state),
            "reason": self.power.reason,
        }


def failing_edges(facts: FactReader, block_ns: int, *, biased: str = "") -> list[Edge]:
    """Edges whose callee failed at least once, the surest powers first.

    Args:
        facts: of the period. block_ns: in blocks of that length incidents are told apart.
        biased: why traces seem to have been chosen by their errors; no power can be told then.
    """
    rows = facts.by_window(FAILED_EDGES, block_ns).rename({"requests": "traces"})
    failing = rows.filter(_FAILED & (pl.col("traces") > 0)).select(_EDGE).unique()
    speaking = speaking_rows(rows.join(failing, on=_EDGE, how="semi"), _EDGE)
    cells = speaking.group_by(_EDGE).agg(
        pl.col("traces").sum(),
        pl.col("traces").filter(_FAILED).sum().alias("failures"),
        pl.col("compared", "failed_if_failed", "failed_if_quiet").sum(),
        *_counted("alone", ALONE),
        *_counted("quiet", QUIET),
    )
    incidents = incidents_of(speaking.filter((pl.col("state") == ALONE) & (pl.col("weight") > 0)), _EDGE, block_ns)
    cells = cells.filter(pl.col("failures") > 0).join(incidents, on=_EDGE, how="left").sort(_EDGE)
    given_failure, given_success = _given_failure(cells), _given_success(cells)
    edges = [
        _edge(row, failed, quiet, biased)
        for row, failed, quiet in zip(cells.iter_rows(named=True), given_failure, given_success, strict=True)
    ]
    edges.sort(key=lambda edge: (-(edge.power.low or -1.0), -edge.failures, edge.caller, edge.callee))
    return edges


def examples_of(facts: FactReader, kind: str) -> Mapping[tuple[str, str], list[str]]:
    """Example traces of that kind, see FAILURE_EXEMPLARS."""
    found = newest(facts, FAILURE_EXEMPLARS).filter(pl.col("kind") == kind)
    ranks = found.group_by("first", "second").agg(pl.col("rank"))
    return {(first, second): slowest_ids(pl.Series(of_one)) for first, second, of_one in ranks.iter_rows()}


def _counted(name: str, state: int) -> Iterator[pl.Expr]:
    """Requests of that state: their number, weight and squares of weights, and the weight of those that failed."""
    here = pl.col("state") == state
    yield pl.col("traces").filter(here).sum().alias(f"{name}_traces")
    yield pl.col("weight").filter(here).sum().alias(f"{name}_weight")
    yield pl.col("weight_squares").filter(here).sum().alias(f"{name}_squares")
    yield pl.col("weight").filter(here & pl.col("caller_failed")).sum().alias(f"{name}_failed")


def _given_failure(cells: pl.DataFrame) -> list[Estimate]:
    """How often the caller failed if only this callee failed: as sure as its incidents agree."""
    share, size = _shares(cells, "alone")
    size, quantile = worth_of_incidents(share, size, cells)
    reasons = map(_missing_failures, cells["alone_traces"], cells["failures"])
    of_edge = zip(cells["alone_traces"], reasons, strict=True)
    return _estimates(share, size, quantile, of_edge, FEWEST_FAILURES)


def _given_success(cells: pl.DataFrame) -> list[Estimate]:
    share, size = _shares(cells, "quiet")
    reasons = (
        f"{FEWEST_SUCCESSES} requests without a failure are needed, {traces} came" for traces in cells["quiet_traces"]
    )
    of_edge = zip(cells["quiet_traces"], reasons, strict=True)
    return _estimates(share, size, np.full_like(size, Z), of_edge, FEWEST_SUCCESSES)


def _shares(cells: pl.DataFrame, name: str) -> tuple[Float64, Float64]:
    """Share of the requests in which the caller failed, and how many observations it is worth."""
    weight, squares, failed = (
        cells[f"{name}_{column}"].to_numpy().astype(np.float64) for column in ("weight", "squares", "failed")
    )
    share = np.divide(failed, weight, out=np.zeros_like(weight), where=weight > 0)
    return share, np.divide(weight**2, squares, out=np.zeros_like(weight), where=squares > 0)


def _estimates(
    share: Float64, size: Float64, quantile: Float64, of_edge: Iterable[tuple[int, str]], minimum: int
) -> list[Estimate]:
    """Estimates of shares.

    Args:
        size: observations that they are worth. of_edge: number of observations, and what is missing below the minimum.
    """
    low, high = proportion_interval(share * size, size)
    # Closed ends keep Jeffreys' interval; elsewhere incidents may call for Student's quantile.
    wide_low, wide_high = wilson(share * size, size, quantile)
    student = quantile > Z
    low, high = np.where(student, wide_low, low), np.where(student, wide_high, high)
    columns = zip(*(column.tolist() for column in (share, low, high, size)), of_edge, strict=True)
    return [
        Estimate(value, least, most, n, n_eff)
        if n >= minimum
        else Estimate(None, n=n, n_eff=n_eff, state=State.INSUFFICIENT_DATA, reason=reason)
        for value, least, most, n_eff, (n, reason) in columns
    ]


def _edge(row: Mapping[str, Any], given_failure: Estimate, given_success: Estimate, biased: str) -> Edge:
    failures = int(row["failures"])
    power = noisy_or_power(given_failure, given_success, biased)
    if failures >= FEWEST_FAILURES and power.state is State.INSUFFICIENT_DATA and given_success.value is not None:
        power = Estimate(None, n=failures, state=State.NOT_IDENTIFIABLE, reason=given_failure.reason)
    return Edge(
        row["caller"],
        row["callee"],
        row["callee_kind"],
        int(row["traces"]),
        failures,
        given_failure,
        given_success,
        power,
        _adjusted(row["compared"], row["failed_if_failed"], row["failed_if_quiet"]),
    )


def _missing_failures(alone: int, all_of_them: int) -> str:
    if all_of_them >= FEWEST_FAILURES:
        return (
            f"only {alone} of {all_of_them} failures came alone: which of those that came together mattered is unknown"
        )
    return f"{FEWEST_FAILURES} requests in which the callee fails are needed, {all_of_them} came"


def noisy_or_power(failure: Estimate, success: Estimate, biased: str = "") -> Estimate:
    """The share of callee failures that fail a caller that would not have failed otherwise, with conservative bounds.

    Args:
        failure: share of callers that failed although only this callee failed. success: if nothing did.
        biased: why it cannot be told.

    Source: Cheng 1997; bounds from metrics.md §9.1.
    """
    n = failure.n
    if biased:
        return Estimate(None, n=n, state=State.NOT_IDENTIFIABLE, reason=biased)
    for one in (failure, success):
        if one.value is None:
            return Estimate(None, n=n, state=State.INSUFFICIENT_DATA, reason=one.reason)
    value = _noisy_or(failure.value, success.value)
    low, high = _noisy_or(failure.low, success.high), _noisy_or(failure.high, success.low)
    return Estimate(value, low, high, n, failure.n_eff)


def _noisy_or(failed: float | None, otherwise: float | None) -> float:
    rest = 1 - (otherwise or 0.0)
    return min(1.0, max(0.0, ((failed or 0.0) - (otherwise or 0.0)) / rest)) if rest > 0 else 0.0


def _adjusted(compared: float, failed_if_failed: float, failed_if_quiet: float) -> float | None:
    if compared < _ENOUGH_COMPARED:
        return None
    return _noisy_or(failed_if_failed / compared, failed_if_quiet / compared)
