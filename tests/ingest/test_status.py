"""The receiver's view of itself: counters, rates and latencies over time, of fixed size."""

import math

import pytest

from tracelith.ingest.status import LATENCY_BOUNDS_S, MAX_REASONS, OTHER_REASONS, IngestMeter, Latencies


class Clock:
    """Wall and monotonic time that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> IngestMeter:
    return IngestMeter(clock=clock, monotonic=clock)


def commit(meter: IngestMeter, spans: int = 0, *latencies_s: float, **refusals: int) -> None:
    meter.committed(
        accepted=spans, rejected=sum(refusals.values()), commit_s=0.004, latencies_s=latencies_s, refusals=refusals
    )


def test_a_commit_is_counted_with_its_size_its_moment_and_its_slowest_request(meter: IngestMeter, clock: Clock) -> None:
    commit(meter, 512, 0.010)
    clock.now += 5
    commit(meter, 100, 0.020, 0.007, bad=3)

    status = meter.status(queued_bytes=17, max_queued_bytes=64)

    assert (status.commits, status.accepted_spans, status.rejected_spans) == (2, 612, 3)
    assert (status.last_commit_at, status.last_commit_spans, status.commit_ms) == (1_005.0, 100, 4.0)
    assert status.acknowledge_ms == pytest.approx(20.0)
    assert status.commits_s == pytest.approx(0.008)
    assert (status.queued_bytes, status.max_queued_bytes) == (17, 64)


def test_the_rate_is_that_of_the_time_asked_for_and_fades_when_nothing_comes(meter: IngestMeter, clock: Clock) -> None:
    for _ in range(120):
        commit(meter, 1_000, 0.010)
        clock.now += 1

    busy = meter.recent(60)
    clock.now += 180
    quiet, hour = meter.recent(60), meter.recent(3600)

    assert busy.spans_per_s == pytest.approx(1_000)
    assert quiet.spans_per_s == 0.0
    assert quiet.latencies.quantile_s(0.5) is None
    assert hour.spans == 120_000
    assert hour.seconds == pytest.approx(300)


def test_a_process_that_has_only_just_started_has_no_rate(meter: IngestMeter, clock: Clock) -> None:
    commit(meter, 1_000, 0.010)
    assert meter.recent(60).spans_per_s is None

    clock.now += 4

    assert meter.recent(60).spans_per_s == pytest.approx(250)


def test_after_an_hour_without_spans_the_hour_is_empty_however_long_it_was(meter: IngestMeter, clock: Clock) -> None:
    for idle_s in (3_700, 10_000, 1_000_000):
        commit(meter, 1_000, 0.010)
        clock.now += idle_s

        assert meter.recent(3600).spans == 0
        assert set(meter.spans_by_minute()) == {0}


def test_minutes_are_told_apart_and_only_those_that_were_lived_through(meter: IngestMeter, clock: Clock) -> None:
    assert meter.spans_by_minute() == ()

    for spans in (10, 20, 30):
        commit(meter, spans)
        clock.now += 60
    commit(meter, 99)

    assert meter.spans_by_minute() == (10, 20, 30)
    clock.now += 60 * 70
    assert meter.spans_by_minute() == (0,) * 60


def test_the_clock_of_the_wall_may_jump_without_changing_a_rate(clock: Clock) -> None:
    wall = Clock()
    meter = IngestMeter(clock=wall, monotonic=clock)
    for jump in (0, -86_400, 500_000):
        wall.now += jump
        commit(meter, 600, 0.010)
        clock.now += 20

    assert meter.recent(60).spans_per_s == pytest.approx(30)


def test_quantiles_are_off_by_no_more_than_a_bucket(meter: IngestMeter) -> None:
    latencies = [0.002 * 1.01**step for step in range(600)]

    commit(meter, 0, *latencies)
    seen = meter.latencies()

    assert seen.requests == 600
    assert seen.sum_s == pytest.approx(sum(latencies))
    for share in (0.01, 0.5, 0.9, 0.99):
        exact = latencies[math.ceil(share * 600) - 1]
        assert exact / math.sqrt(2) < (seen.quantile_s(share) or 0) < exact * math.sqrt(2)


def test_latencies_on_a_bound_and_beyond_the_last_have_their_buckets(meter: IngestMeter) -> None:
    commit(meter, 0, 0.0, LATENCY_BOUNDS_S[0], LATENCY_BOUNDS_S[-1], 1e6)

    counts = meter.latencies().counts

    assert (counts[0], counts[-2], counts[-1], sum(counts)) == (2, 1, 1, 4)
    assert meter.latencies().quantile_s(0.99) == math.inf
    assert Latencies(counts=(0,) * len(counts)).quantile_s(0.5) is None


def test_refusals_say_how_many_and_since_when(meter: IngestMeter, clock: Clock) -> None:
    commit(meter, 0, 0.010, late=2)
    clock.now += 60
    commit(meter, 0, 0.010, late=1, garbled=9)

    first, second = meter.refused()

    assert (first.reason, first.spans) == ("garbled", 9)
    assert (second.reason, second.spans, second.first_at, second.last_at) == ("late", 3, 1_000.0, 1_060.0)


def test_reasons_are_bounded_in_number_and_length_and_none_is_lost(meter: IngestMeter) -> None:
    for number in range(3 * MAX_REASONS):
        commit(meter, 0, 0.010, **{f"{number} " + "x" * 1_000: 1})

    refused = meter.refused()

    assert len(refused) == MAX_REASONS + 1
    assert (refused[0].reason, refused[0].spans) == (OTHER_REASONS, 2 * MAX_REASONS)
    assert max(len(one.reason) for one in refused) <= 200
    assert sum(one.spans for one in refused) == meter.status().rejected_spans


def test_after_a_failed_commit_nothing_can_be_taken_until_one_succeeds(meter: IngestMeter) -> None:
    meter.failed_commit("the disk is full")

    failing = meter.problem()
    commit(meter, 0)
    nothing_written = meter.problem()
    commit(meter, 1, 0.010)

    assert failing == nothing_written == "the disk is full"
    assert meter.problem() == ""
    assert meter.status().last_failure == "the disk is full"


def test_a_failure_is_held_against_the_receiver_for_a_minute_so_that_senders_who_look_first_try_again(
    meter: IngestMeter, clock: Clock
) -> None:
    meter.failed_commit("the disk is full")

    clock.now += 59
    failing = meter.problem()
    clock.now += 2

    assert failing
    assert meter.problem() == ""
