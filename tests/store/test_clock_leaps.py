"""A clock that is wrong for a while deletes nothing, keeps nothing from being analysed, and upsets no numbers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.analysing import analyse, calls
from store.rows import COUNTS, DAY, SECOND, T0, Clock, batch, dimensions, span, window
from tracelith.store import Store
from tracelith.store.believed_time import Belief

HOUR = 3600 * SECOND
YEAR = 365 * DAY


def retain_each_hour(store: Store, first_ns: int, hours: int) -> int:
    """What retention deletes if it comes by every hour of the wall clock."""
    passes = (first_ns + hour * HOUR for hour in range(hours))
    return sum(store.retain(7, 400, store.believed_time(now_ns)).deleted_spans for now_ns in passes)


@pytest.fixture
def store():
    with Store.open(None) as opened:
        opened.ensure_fact_tables([COUNTS])
        opened.append([dimensions(), batch(span(day, 1, T0 + day * DAY) for day in range(7))])
        analyse(opened)
        retain_each_hour(opened, T0 + 6 * DAY, 3)
        yield opened


@pytest.mark.parametrize("leap", [YEAR, 2 * YEAR, 10 * DAY, -DAY - HOUR, -YEAR])
def test_a_clock_that_is_wrong_for_some_hours_deletes_nothing(store: Store, leap: int) -> None:
    now_ns = T0 + 6 * DAY + 3 * HOUR

    deleted = retain_each_hour(store, now_ns + leap, 10)
    deleted += retain_each_hour(store, now_ns + 10 * HOUR, 3)

    assert deleted == 0
    assert store.size().spans == 7
    assert calls(store) == 7


def test_the_belief_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with Store.open(path) as store:
        store.believed_time(T0)

    for restart in range(5):
        with Store.open(path) as store:
            assert store.believed_time(T0 + YEAR + restart * HOUR) == T0


def test_a_server_that_was_off_for_a_month_goes_by_the_clock_again_after_a_day(store: Store) -> None:
    after = T0 + 36 * DAY

    assert retain_each_hour(store, after, 24) == 0
    assert retain_each_hour(store, after + 24 * HOUR, 2) == 7
    assert calls(store) == 7


def test_hours_of_running_add_up_over_many_short_sessions(store: Store) -> None:
    sessions = [T0 + 20 * DAY + week * 7 * DAY for week in range(12)]

    deleted = [retain_each_hour(store, session, 4) for session in sessions]

    assert sum(deleted) == 7
    assert deleted.index(7) == 7  # three hours of running each


@given(st.lists(st.integers(0, 24 * HOUR), max_size=60))
def test_a_clock_that_does_not_leap_is_always_believed(steps: list[int]) -> None:
    belief, now_ns = Belief(T0, T0, 0), T0

    for step in steps:
        now_ns += step
        belief = belief.after(now_ns)
        assert belief.believed_ns == now_ns


@given(st.lists(st.integers(-2 * YEAR, 2 * YEAR), max_size=23))
def test_whatever_a_clock_does_within_a_day_of_running_the_belief_moves_less_than_it_ran(leaps: list[int]) -> None:
    belief = Belief(T0, T0, 0)

    for hour, leap in enumerate(leaps):
        belief = belief.after(T0 + hour * HOUR + (leap if abs(leap) > 3 * DAY else 0))

    assert abs(belief.believed_ns - T0) <= 24 * HOUR


@pytest.mark.parametrize("leap", [YEAR, -YEAR, DAY, -DAY, -1])
def test_spans_that_arrive_while_the_clock_is_wrong_are_kept_analysed_and_numbered_on(
    tmp_path: Path, leap: int
) -> None:
    clock = Clock()
    with Store.open(tmp_path / "x.duckdb", clock_ns=clock) as store:
        store.ensure_fact_tables([COUNTS])
        commits = [store.append([dimensions(), batch([span(1, 1, window(0))])])]
        clock.now_ns += leap
        commits.append(store.append([batch([span(2, 1, window(0)), span(3, 1, window(1))])]))
        clock.pass_seconds(31)
        during = store.stale_windows(30)
        analyse(store)
        clock.now_ns -= leap
        commits.append(store.append([batch([span(4, 1, window(1))])]))
        clock.pass_seconds(31)

        after = store.stale_windows(30)
        analyse(store)

        assert commits == sorted(set(commits))
        assert during == [window(0), window(1)]
        assert after == [window(1)]
        assert calls(store) == 4


def test_commit_numbers_go_on_after_a_restart_with_an_earlier_clock(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with Store.open(path, clock_ns=Clock(T0 + YEAR)) as store:
        store.ensure_fact_tables([COUNTS])
        before = store.append([dimensions(), batch([span(1, 1, T0)])])
        generation = store.fact_generation()

    with Store.open(path, clock_ns=Clock(T0)) as store:
        store.ensure_fact_tables([COUNTS])
        after = store.append([batch([span(2, 1, T0)])])
        analyse(store)

        assert after > before
        assert calls(store) == 2
        assert store.fact_generation() != generation
