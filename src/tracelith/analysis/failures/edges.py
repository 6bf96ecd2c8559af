"""Whether the failure of a callee fails its caller: from requests in which nothing else failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tracelith.analysis.exemplars import newest, slowest_ids
from tracelith.analysis.failures.tables import ALONE, FAILED_EDGES, FAILURE_EXEMPLARS, QUIET, SHARED
from tracelith.analysis.statistics.intervals import proportion
from tracelith.analysis.statistics.weights import effective_size, speaking_rows
from tracelith.model.facts import FactReader
from tracelith.model.findings import Estimate, State

__all__ = ["HARD", "SOFT", "Edge", "examples_of", "failing_edges", "noisy_or_power"]

HARD, SOFT = 0.6, 0.2
"""Lower bound of the power above which a dependency is hard, upper bound below which it is soft (metrics.md §9.1)."""

FEWEST_FAILURES, FEWEST_SUCCESSES = 10, 100
"""Of the callee, for a power to be told (metrics.md §19)."""

_ENOUGH_COMPARED = 5.0
"""Weight of comparisons within minutes, about that many failures with as many successes beside them."""

_EDGE = ["caller", "callee", "callee_kind"]


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


def failing_edges(facts: FactReader, *, biased: str = "") -> list[Edge]:
    """Edges whose callee failed at least once, the surest powers first.

    Args:
        facts: of the period.
        biased: why traces seem to have been chosen by their errors; no power can be told then.
    """
    rows = facts.merged(FAILED_EDGES).rename({"requests": "traces"})
    failing = rows.filter(pl.col("state").is_in([ALONE, SHARED]) & (pl.col("traces") > 0)).select(_EDGE).unique()
    speaking = speaking_rows(rows.join(failing, on=_EDGE, how="semi"), _EDGE)
    cells = speaking.partition_by(_EDGE, as_dict=True)
    edges = [_edge(key, cell, biased) for key, cell in cells.items()]
    edges = [edge for edge in edges if edge.failures]
    edges.sort(key=lambda edge: (-(edge.power.low or -1.0), -edge.failures, edge.caller, edge.callee))
    return edges


def examples_of(facts: FactReader, kind: str) -> Mapping[tuple[str, str], list[str]]:
    """Example traces of that kind, see FAILURE_EXEMPLARS."""
    found = newest(facts, FAILURE_EXEMPLARS).filter(pl.col("kind") == kind)
    rows = found.partition_by(["first", "second"], as_dict=True)
    return {(str(first), str(second)): slowest_ids(ranks["rank"]) for (first, second), ranks in rows.items()}


def _edge(key: tuple[Any, ...], cell: pl.DataFrame, biased: str) -> Edge:
    caller, callee, kind = key
    failed = pl.col("state").is_in([ALONE, SHARED])
    requests = int(cell["traces"].sum())
    failures = int(cell.filter(failed)["traces"].sum())
    alone, quiet = cell.filter(pl.col("state") == ALONE), cell.filter(pl.col("state") == QUIET)
    given_failure = _share(alone, FEWEST_FAILURES, _missing_failures(int(alone["traces"].sum()), failures))
    given_success = _share(
        quiet,
        FEWEST_SUCCESSES,
        f"{FEWEST_SUCCESSES} requests without a failure are needed, {quiet['traces'].sum()} came",
    )
    power = noisy_or_power(given_failure, given_success, biased)
    if failures >= FEWEST_FAILURES and power.state is State.INSUFFICIENT_DATA and given_success.value is not None:
        power = Estimate(None, n=failures, state=State.NOT_IDENTIFIABLE, reason=given_failure.reason)
    return Edge(caller, callee, kind, requests, failures, given_failure, given_success, power, _adjusted(cell))


def _missing_failures(alone: int, all_of_them: int) -> str:
    if all_of_them >= FEWEST_FAILURES:
        return (
            f"only {alone} of {all_of_them} failures came alone: which of those that came together mattered is unknown"
        )
    return f"{FEWEST_FAILURES} requests in which the callee fails are needed, {all_of_them} came"


def _share(rows: pl.DataFrame, minimum: int, reason: str) -> Estimate:
    """Share of the requests in which the caller failed."""
    weight = float(rows["weight"].sum())
    failed = float(rows.filter("caller_failed")["weight"].sum())
    size = effective_size(rows["weight"].to_numpy(), rows["weight_squares"].to_numpy())
    share = failed / weight if weight > 0 else 0.0
    return proportion(share * size, size, n=int(rows["traces"].sum()), minimum=minimum, reason=reason)


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


def _adjusted(cell: pl.DataFrame) -> float | None:
    compared = float(cell["compared"].sum())
    if compared < _ENOUGH_COMPARED:
        return None
    return _noisy_or(float(cell["failed_if_failed"].sum()) / compared, float(cell["failed_if_quiet"].sum()) / compared)
