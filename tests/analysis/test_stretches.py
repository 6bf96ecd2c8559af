"""Which time blocks belong together, how many decide, and what an unseen one might do."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analysis.pipelines import batches, over_windows
from tracelith.analysis.base import Evidence
from tracelith.analysis.chains.entry_latency import time_block_ns
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.statistics.bootstrap import block_length_ns, bounds, exponential_weights, generator
from tracelith.analysis.statistics.intervals import proportion, proportion_in_time
from tracelith.analysis.statistics.stretches import (
    FEWEST_STRETCHES,
    apart,
    degrees_of_freedom,
    summed,
    unseen,
    worth,
)
from tracelith.model.findings import State
from tracelith.model.schema import DEPLOYMENT, WINDOW_NS
from tracelith.store import Store
from traces import START_NS

DAY_NS = 86_400_000_000_000


def centred(values: np.ndarray) -> np.ndarray:
    columns = values.reshape(len(values), -1)
    return columns - columns.mean(axis=0)


def test_independent_blocks_stay_apart_and_blocks_that_move_together_are_merged() -> None:
    random = np.random.default_rng(3)
    alone = centred(random.normal(size=160))
    together = centred(np.repeat(random.normal(size=20), 8))

    assert apart(alone)[0] <= 2
    assert apart(together)[0] >= 8
    assert apart(together)[1]


def test_a_correlation_as_long_as_the_period_is_never_settled() -> None:
    drift = centred(np.linspace(-1, 1, 160))

    factor, settled = apart(drift)

    assert not settled
    assert 160 / factor >= FEWEST_STRETCHES


def test_stretches_hold_all_that_their_blocks_hold() -> None:
    rows = np.arange(14.0).reshape(7, 2)

    assert summed(rows, 3).tolist() == [[6, 9], [24, 27], [12, 13]]


@pytest.mark.parametrize(("deciding", "degrees"), [(1, 2.0), (3, 6.2), (10, 22.2)])
def test_degrees_of_freedom_are_twice_the_blocks_that_matter(deciding: int, degrees: float) -> None:
    influence = np.zeros((100, 1))
    influence[:deciding] = 1.0

    assert degrees_of_freedom(influence)[0] == pytest.approx(degrees, rel=0.02)


def test_blocks_that_matter_alike_have_about_as_many_degrees_of_freedom() -> None:
    influence = np.random.default_rng(1).normal(size=(5000, 1))

    assert degrees_of_freedom(influence)[0] == pytest.approx(5000, rel=0.15)


def test_an_unseen_event_is_like_the_largest_while_few_decide_and_nothing_when_many_do() -> None:
    influence = np.array([[-1.0], [0.5], [3.0]])

    few, many = unseen(influence, np.array([4.0])), unseen(influence, np.array([400.0]))

    assert (few[0][0], few[1][0]) == (-1.0, 3.0)
    assert many[1][0] == pytest.approx(0.15)


@pytest.mark.parametrize("events", [1, 4, 20])
def test_weights_and_one_unseen_event_give_the_exact_limits_of_a_count(events: int) -> None:
    """Garwood's: Gamma(m) below, Gamma(m + 1) above."""
    random = generator("garwood", str(events))
    counts = exponential_weights(random, events, 100_000).sum(axis=1, keepdims=True)

    low, high = bounds(counts, np.array([0.0]), np.array([1.0]), random)

    assert low[0] == pytest.approx(stats.gamma.ppf(0.025, events), rel=0.05)
    assert high[0] == pytest.approx(stats.gamma.ppf(0.975, events + 1), rel=0.03)


def test_few_degrees_of_freedom_reach_further_out() -> None:
    replicates = np.random.default_rng(2).normal(size=(100_000, 2))
    nothing = np.zeros(2)

    low, high = bounds(replicates, nothing, nothing, generator("t"), np.array([5.0, np.inf]))

    assert high[0] == pytest.approx(2.571, abs=0.06)
    assert (-low[1], high[1]) == (pytest.approx(1.96, abs=0.03), pytest.approx(1.96, abs=0.03))


def test_a_statistic_without_replicates_has_no_bounds() -> None:
    nothing = np.zeros(1)

    low, high = bounds(np.full((50, 1), np.nan), nothing, nothing, generator("none"))

    assert np.isnan([low[0], high[0]]).all()


def test_successes_that_come_together_are_worth_fewer_observations() -> None:
    whole = np.full(100, 50.0)
    spread, together = np.full(100, 5.0), np.where(np.arange(100) % 10 == 0, 50.0, 0.0)

    alone = proportion_in_time(spread + np.arange(100) % 2, whole, 5000.0, n=5000)
    clustered = proportion_in_time(together, whole, 5000.0, n=5000)

    assert alone.n_eff == 5000
    assert clustered.n_eff == pytest.approx(100, rel=0.05)
    assert clustered.low is not None
    assert alone.low is not None
    assert clustered.low < 0.06 < alone.low


@pytest.mark.parametrize(("incidents", "held"), [(0.0, 0.93), (2.5, 0.85)])
def test_the_interval_in_time_holds_what_it_promises_and_a_little_less_with_few_incidents(
    incidents: float, held: float
) -> None:
    random = np.random.default_rng(1)
    whole, truth = np.full(168, 50.0), 0.02 + incidents * 0.6 / 168
    found = 0

    for _ in range(300):
        share = np.full(168, 0.02)
        np.add.at(share, random.integers(0, 168, random.poisson(incidents)), 0.6)
        told = proportion_in_time(random.binomial(50, share.clip(0, 1)).astype(float), whole, 8_400.0, n=8_400)
        assert told.low is not None
        assert told.high is not None
        found += told.low <= truth <= told.high

    assert found / 300 >= held


def test_a_proportion_of_all_is_as_sure_as_there_are_stretches_that_may_have_decided() -> None:
    whole = np.zeros(100)
    whole[:4] = 10.0

    certain = proportion_in_time(whole, whole, 40.0, n=40)

    assert certain.n_eff == 4
    assert certain.low is not None
    assert certain.low < (proportion(40, 40).low or 0) - 0.2


def test_too_few_observations_stay_insufficient_whatever_the_blocks_say() -> None:
    refused = proportion_in_time(np.ones(5), np.ones(5) * 2, 10.0, n=10, minimum=30, reason="30 are needed")

    assert (refused.value, refused.state, refused.reason) == (None, State.INSUFFICIENT_DATA, "30 are needed")


def test_correlation_never_makes_observations_worth_more() -> None:
    even = np.tile([1.0, -1.0], 50)[:, None] * 1e-9

    size, _ = worth(even, np.array([0.5]), 1000.0)

    assert size[0] == 1000


@pytest.mark.parametrize(
    ("days", "length_ns"),
    [(1 / 24, WINDOW_NS), (1, 2 * WINDOW_NS), (7, DAY_NS // 24), (28, DAY_NS // 6), (182, DAY_NS), (3650, 21 * DAY_NS)],
)
def test_blocks_are_parts_of_a_day_or_whole_days(days: float, length_ns: int) -> None:
    assert block_length_ns(0, round(days * DAY_NS)) == length_ns


@pytest.mark.parametrize(("windows", "length_ns"), [(20, WINDOW_NS), (200, 2 * WINDOW_NS)])
def test_the_time_with_requests_decides_how_it_is_cut_not_the_period_asked_for(windows: int, length_ns: int) -> None:
    spans = over_windows("shop SERVER GET / 0..30ms", copies=1, windows=windows)
    period = (START_NS - 7 * DAY_NS, START_NS + 7 * DAY_NS)

    with Store.open(None) as store:
        store.append(batches(spans))
        Engine(store, registered_analyses()).analyse_stale()
        facts = store.facts(store.environments(*period)[0][0], *period)
        length = time_block_ns(Evidence("", *period, facts, pl.DataFrame(schema=DEPLOYMENT)))

    assert block_length_ns(*period) > length == length_ns
