"""Stretches of time in which something fails beyond its usual share.

Each window scores how much likelier its failures are in a bad stretch than at the usual share. Of all ways to cut a
period into good and bad stretches the one with the largest total score is taken, each change having its price (Viterbi
1967). Busy systems are judged by the minute, quiet ones need hours to say as much, and no length has to be chosen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.failures.tables import FAILED_MINUTES, FAILED_NODES
from tracelith.analysis.times import HOUR_NS, MINUTE_NS
from tracelith.model.facts import FactReader
from tracelith.model.schema import WINDOW_NS

__all__ = ["Stretch", "Troubles", "find_troubles", "requests_between", "runs_of"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

BAD_SHARE = 0.25
"""Share of failures that a bad stretch is taken to have; shares above about a quarter of it count for one."""

FEWEST_FAILURES = 10
"""Of the origin, in a stretch. Fewer are told as single errors, by nobody."""

_CHANCE = 1e-4
"""How often a period without trouble may show a stretch, per service."""


_ROUNDS = 3
"""The usual share is what is left outside stretches: found again after each round."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of bad time of one node, half open, whole minutes.

    Attributes:
        node, kind: service, datastore or outside system. start_ns, end_ns: first and after the last bad minute.
        failures: of its own account. requests: made of it in that time, as far as windows tell.
    """

    node: str
    kind: str
    start_ns: int
    end_ns: int
    failures: int
    requests: int

    @property
    def minutes(self) -> int:
        """Length in minutes."""
        return (self.end_ns - self.start_ns) // MINUTE_NS


@dataclass(frozen=True, slots=True)
class Troubles:
    """All stretches of a period, with the facts they were found in.

    Attributes:
        stretches: by node, in order of time. minutes: FAILED_MINUTES rows, of origins that have a stretch.
        nodes: FAILED_NODES rows by window of the nodes named in minutes.
    """

    stretches: Mapping[str, tuple[Stretch, ...]]
    minutes: pl.DataFrame
    nodes: pl.DataFrame


def find_troubles(facts: FactReader) -> Troubles:
    """Stretches in which a node fails on its own account beyond its usual share."""
    minutes = facts.merged(FAILED_MINUTES)
    own = minutes.filter(pl.col("service") == "")
    often = own.group_by("origin").agg(pl.col("failures").sum()).filter(pl.col("failures") >= FEWEST_FAILURES)
    minutes = minutes.join(often.select("origin"), on="origin", how="semi")
    named = pl.concat([minutes["origin"], minutes["service"]]).unique()
    nodes = facts.by_window(FAILED_NODES).filter(pl.col("node").is_in(named.implode()))
    stretches, by_origin = {}, own.partition_by("origin", as_dict=True)
    for (node,), windows in (
        nodes.filter(pl.col("node").is_in(often["origin"].implode()))
        .partition_by(["node"], as_dict=True, maintain_order=True)
        .items()
    ):
        found = _stretches(str(node), windows, by_origin[node,])
        if found:
            stretches[str(node)] = found
    return Troubles(stretches, minutes.filter(pl.col("origin").is_in(list(stretches))), nodes)


def requests_between(windows: pl.DataFrame, column: str, start_ns: int, end_ns: int) -> float:
    """Sum of a column of windows between two moments; a window that sticks out counts by how much it overlaps."""
    at = windows["window_ns"].to_numpy()
    value = windows[column].to_numpy().astype(np.float64)
    length = window_lengths(at)
    overlap = np.clip(np.minimum(at + length, end_ns) - np.maximum(at, start_ns), 0, None)
    return float((value * overlap / length).sum())


def window_lengths(at: Int64) -> Int64:
    """Length of each window by its start: an hour for those merged with age, else five minutes.

    What is merged begins with an hour and is older than what is not.
    """
    within = at[at % HOUR_NS != 0]
    oldest = int(within.min()) if within.size else 0
    lengths: Int64 = np.where(at < oldest - oldest % HOUR_NS, HOUR_NS, WINDOW_NS)
    return lengths


def _stretches(node: str, windows: pl.DataFrame, own: pl.DataFrame) -> tuple[Stretch, ...]:
    at = windows["window_ns"].to_numpy()
    asked = np.maximum(windows["requests"].to_numpy(), windows["own"].to_numpy()).astype(np.float64)
    failed = windows["own"].to_numpy().astype(np.float64)
    length = window_lengths(at)
    inside = np.zeros(at.size, dtype=np.bool_)
    runs: list[tuple[int, int]] = []
    for _ in range(_ROUNDS):
        usual = (failed[~inside].sum() + 0.5) / (asked[~inside].sum() + 1.0)
        runs = runs_of(_scores(asked, failed, float(usual)), math.log(max(at.size, 1) / _CHANCE))
        before, inside = inside, np.zeros(at.size, dtype=np.bool_)
        for first, last in runs:
            inside[first : last + 1] = True
        if (before == inside).all():
            break
    minute, count = own["minute_ns"].to_numpy(), own["failures"].to_numpy()
    found = []
    for first, last in runs:
        here = (minute >= at[first]) & (minute < at[last] + length[last])
        if count[here].sum() >= FEWEST_FAILURES:
            start, end = int(minute[here].min()), int(minute[here].max()) + MINUTE_NS
            requests = round(requests_between(windows, "requests", start, end))
            failures = int(count[here].sum())
            kind = str(windows["node_kind"][0])
            found.append(Stretch(node, kind, start, end, failures, max(requests, failures)))
    return tuple(found)


def _scores(asked: Float64, failed: Float64, usual: float) -> Float64:
    """Log-likelihood ratio of a bad stretch against the usual share, per window."""
    usual = min(usual, 0.9)
    bad = max(BAD_SHARE, min(0.95, 4 * usual))
    return failed * math.log(bad / usual) + (asked - failed) * math.log((1 - bad) / (1 - usual))


def runs_of(scores: Float64, least: float) -> list[tuple[int, int]]:
    """First and last position of each run of the best choice of runs.

    Args:
        scores: per position. least: score that a run must have; the price of ending one and beginning another, too.
    """
    # Neighbours that speak against trouble count as one.
    starts = np.flatnonzero(np.append(True, (scores[1:] > 0) | (scores[:-1] > 0))) if scores.size else np.zeros(0, int)
    if not starts.size:
        return []
    ends = np.append(starts[1:], scores.size) - 1
    good, bad = 0.0, -np.inf
    entered: list[bool] = []  # whether the best way to be in trouble here begins here
    left: list[bool] = []  # whether the best way to be out of trouble behind here ends it here
    for score in np.add.reduceat(scores, starts).tolist():
        entered.append(good - least > bad)
        bad = max(bad, good - least) + score
        left.append(bad > good)
        good = max(good, bad)
    runs: list[tuple[int, int]] = []
    place = len(left) - 1
    while place >= 0:
        if not left[place]:
            place -= 1
            continue
        last = place
        while not entered[place]:
            place -= 1
        runs.append((int(starts[place]), int(ends[last])))
        place -= 1
    return runs[::-1]
