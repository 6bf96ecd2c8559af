"""Each limit of what is said about queues from both sides: what is accused just so, and what is not."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.queue_worlds import Taken, asking, listening, queues_of, steady, taken_text
from tracelith.analysis.queues.gaps import silent_gaps
from tracelith.analysis.queues.silence import QUEUE_FLOW, ranked

SECOND_NS = 1_000_000_000
SPREAD = np.random.default_rng(3).lognormal(3.5, 0.8, 120)


def between(low: float, high: float, count: int = 120) -> Any:
    return np.random.default_rng(5).uniform(low, high, count)


def stalls_of(messages: Iterable[Taken]) -> list[dict[str, Any]]:
    return list(queues_of(taken_text(messages))["queues"]["stalls"])


def rounds(every: float) -> list[Taken]:
    """Over an hour of messages that are taken in rounds."""
    return [Taken(at, (at // every + 1) * every + at % every / 1_000) for at in np.arange(0, 4_500, 1.0)]


@pytest.mark.parametrize(("until", "found"), [(3_779, 0), (4_079, 1)])
def test_a_pause_counts_by_how_long_messages_usually_wait(until: float, found: int) -> None:
    assert len(stalls_of(listening(rounds(60), 3_601, until, drain=0.001))) == found


def test_ordinary_rounds_before_and_after_are_no_part_of_a_stall() -> None:
    (stall,) = stalls_of(listening(rounds(60), 3_601, 4_079, drain=0.001))

    assert stall["interruptions"] == 1
    assert stall["seconds"] == pytest.approx(478, abs=5)


def test_pauses_while_a_backlog_is_worked_off_do_not_prolong_the_stall() -> None:
    stuck = listening(steady(0, 2_400, 5), 1_000, 1_400)
    pausing = [
        Taken(one.sent, (one.taken // 35 + 1) * 35, one.instance) if 1_400 < one.taken < 1_700 else one for one in stuck
    ]

    (stall,) = stalls_of(pausing)

    assert stall["interruptions"] == 1
    assert stall["seconds"] == pytest.approx(400, abs=10)


@pytest.mark.parametrize(("delay", "found"), [(3_600, 0), (300, 1)])
def test_messages_taken_long_after_the_group_went_on_did_not_wait_for_it(delay: float, found: int) -> None:
    prompt = [*steady(0, 1_000, 5), *steady(1_400, 7_200, 5)]
    meant = [Taken(at, at + delay, f"profile-{n % 3}") for n, at in enumerate(np.arange(1_110.0, 1_390, 10))]

    assert len(stalls_of([*prompt, *meant])) == found


@pytest.mark.parametrize(("often_late", "found"), [(True, 0), (False, 1)])
def test_few_waiting_messages_are_no_chance_only_where_few_wait_otherwise(*, often_late: bool, found: int) -> None:
    lags = [12.0 if often_late and number % 5 < 2 else 0.1 for number in range(720)]
    messages = [Taken(10.0 * number, 10.0 * number + lag) for number, lag in enumerate(lags)]

    assert len(stalls_of(listening(messages, 3_000, 3_095))) == found


@pytest.mark.parametrize(("other", "found"), [((340, 380), 0), ((301, 340), 1)])
def test_a_gap_among_traces_of_one_window_is_none_if_those_of_another_fill_it(
    other: tuple[int, int], found: int
) -> None:
    """Times are seconds; both windows tell of what was taken in the same five minutes."""
    rows = [(300, 305, 550, 100, 450), (0, *other, 0, 0)]
    numbers = ["window_ns", "first_ns", "last_ns", "length_ns", "end_ns"]
    flow = pl.DataFrame(rows, schema=dict.fromkeys(numbers, pl.Int64), orient="row").with_columns(
        pl.all() * SECOND_NS, slot_ns=pl.lit(300 * SECOND_NS), system=pl.lit("kafka"), destination=pl.lit("events")
    )
    gap = pl.when(pl.col("length_ns") > 0).then(ranked("length_ns", "end_ns")).otherwise(pl.lit(""))
    told = flow.with_columns(group=pl.lit("views"), messages=pl.lit(9), gap=gap)

    gaps = silent_gaps(told.select("window_ns", *(name for name in QUEUE_FLOW.schema if name in told.columns[1:])))

    assert len(gaps) == found


def label_of(handled: Any, rest: Any) -> str:
    (wait,) = queues_of(asking(handled, rest, answers=False))["queues"]["waits"]
    return str(wait["label"])


def test_requests_that_would_contain_any_answer_are_not_accused_of_waiting() -> None:
    fast = between(2, 9)

    assert label_of(fast, fast + 50) == "undecided"
    assert label_of(fast, fast + 1) == "waits"


def test_requests_whose_length_the_answer_explains_in_part_are_not_accused_of_waiting() -> None:
    assert label_of(SPREAD, SPREAD + between(0, 110)) == "undecided"
    assert label_of(SPREAD, SPREAD + between(0, 30)) == "waits"


def test_requests_of_which_only_those_that_all_stood_still_look_alike_are_not_accused_of_waiting() -> None:
    stood = between(300, 900, 12)

    def with_others(rest: Any) -> str:
        return label_of([*between(5, 40, 108), *stood], [*rest, *(stood + 5)])

    assert with_others(between(42, 44, 108)[::-1]) == "undecided"
    assert with_others(between(5, 40, 108) + 2) == "waits"
