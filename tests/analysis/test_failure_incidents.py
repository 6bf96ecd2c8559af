"""Powers when failures come in incidents: intervals keep their promise although failures of one incident are alike."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from tracelith.analysis.failures.edges import Edge, failing_edges
from tracelith.analysis.failures.tables import ALONE, FAILED_EDGES, QUIET
from tracelith.model.facts import FactTable

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS

Powers = Callable[[np.random.Generator, int], np.ndarray]


class Facts:
    """Facts of FAILED_EDGES only."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    def merged(self, table: FactTable) -> pl.DataFrame:
        raise AssertionError(table.name)

    def by_window(self, table: FactTable, block_ns: int | None = None) -> pl.DataFrame:
        assert (table.name, block_ns) == (FAILED_EDGES.name, HOUR_NS)
        return self.rows


def row(caller: str, at_ns: int, state: int, *, caller_failed: bool, requests: int) -> tuple[object, ...]:
    weight = float(requests)
    return (
        *(at_ns, caller, "b", "service", True, state, caller_failed),
        *(requests, requests, weight, weight, 0.0, 0.0, 0.0),
    )


def edges_of(callers: Sequence[Sequence[tuple[int, int, int]]]) -> list[Edge]:
    """Edges of callers to ``b``; of each its incidents: hour, failures of b, and those that failed the caller."""
    rows = []
    for number, incidents in enumerate(callers):
        for hour, failures, failed in incidents:
            rows.append(row(f"a{number}", hour * HOUR_NS, ALONE, caller_failed=True, requests=failed))
            rows.append(row(f"a{number}", hour * HOUR_NS, ALONE, caller_failed=False, requests=failures - failed))
        rows.append(row(f"a{number}", 0, QUIET, caller_failed=False, requests=5_000))
    columns = ["window_ns", *FAILED_EDGES.keys, *FAILED_EDGES.sums]
    frame = pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"state": pl.Int8})
    return failing_edges(Facts(frame), HOUR_NS)


def simulated(powers: Powers, incidents: int, callers: int = 200) -> list[Edge]:
    """Edges whose power in each of so many incidents, of 40 failures, is drawn anew."""
    random = np.random.default_rng(3)
    drawn = [random.binomial(40, powers(random, incidents)) for _ in range(callers)]
    return edges_of([[(30 * at, 40, int(failed)) for at, failed in enumerate(of_one)] for of_one in drawn])


def hit_or_spared(random: np.random.Generator, incidents: int) -> np.ndarray:
    """Half of all outages hit what the caller needs, half what it can do without; .55 in the long run."""
    return random.choice([0.95, 0.15], incidents)


def alike(_: np.random.Generator, incidents: int) -> np.ndarray:
    return np.full(incidents, 0.9)


def covered(edges: Sequence[Edge], true: float) -> float:
    bounds = [(edge.power.low or 0.0, edge.power.high or 0.0) for edge in edges]
    return sum(low <= true <= high for low, high in bounds) / len(bounds)


def test_powers_that_differ_from_incident_to_incident_have_intervals_that_hold() -> None:
    edges = simulated(hit_or_spared, incidents=8)

    assert covered(edges, 0.55) >= 0.93  # with all failures taken to be independent .25
    assert sum(edge.dependency == "hard" for edge in edges) <= 0.03 * len(edges)  # .27


def test_incidents_that_are_alike_make_no_wider_interval() -> None:
    edges = simulated(alike, incidents=8)

    assert covered(edges, 0.9) >= 0.92
    assert all(edge.dependency == "hard" for edge in edges)
    assert np.median([edge.power.n_eff for edge in edges]) == pytest.approx(320)


def test_two_incidents_that_differ_say_hardly_anything() -> None:
    (edge,) = edges_of([[(0, 40, 38), (100, 40, 6)]])

    assert edge.power.value == pytest.approx(0.55)
    assert (edge.power.low or 0.0) < 0.1
    assert (edge.power.high or 0.0) > 0.9
    assert edge.dependency == "partial"


def test_hours_of_one_outage_are_one_incident() -> None:
    (hours,) = edges_of([[(0, 40, 38), (1, 40, 20), (2, 40, 6)]])
    (days,) = edges_of([[(0, 40, 38), (24, 40, 20), (48, 40, 6)]])

    assert hours.power.n_eff == 120
    assert days.power.n_eff < 10


def test_what_fails_all_the_time_is_cut_into_days() -> None:
    """Ten days: every other day the caller fails too."""
    (edge,) = edges_of([[(hour, 4, 4 if hour // 24 % 2 else 0) for hour in range(240)]])

    assert edge.power.value == pytest.approx(0.5)
    assert edge.power.n_eff <= 10
