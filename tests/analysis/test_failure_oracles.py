"""The worked numbers of metrics.md §9, and the arithmetic behind them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.failures.claims import together_findings
from tracelith.analysis.failures.edges import Edge, noisy_or_power
from tracelith.analysis.failures.entries import serial_availability, soft_availability
from tracelith.analysis.failures.radius import EntryCalls, fails_with
from tracelith.analysis.failures.request_clock import RequestClock
from tracelith.analysis.failures.retrying import amplification
from tracelith.analysis.failures.stretches import Stretch, runs_of, window_lengths
from tracelith.analysis.failures.together import failure_pairs
from tracelith.analysis.statistics.intervals import proportion
from tracelith.model.findings import Estimate, Severity, State

MINUTE_NS = 60_000_000_000


def calls(*edges: tuple[str, str, float]) -> EntryCalls:
    """The calls of an entry operation of ``shop``: caller, callee, share of the caller's requests."""
    nodes = tuple(dict.fromkeys(("shop", *(name for edge in edges for name in edge[:2]))))
    return EntryCalls(
        "shop",
        "GET /",
        1_000,
        1_000.0,
        nodes,
        np.array([nodes.index(edge[0]) for edge in edges]),
        np.array([nodes.index(edge[1]) for edge in edges]),
        np.array([edge[2] for edge in edges]),
    )


def radius_of(node: str, entry: EntryCalls, power: dict[tuple[str, str], float]) -> float:
    return float(fails_with(entry, power, 0.0)[entry.nodes.index(node)])


def edge(power: Estimate, adjusted: float | None = None) -> Edge:
    return Edge("a", "b", "service", 1_000, 40, power, power, power, adjusted)


def test_9_1_power_oracle() -> None:
    power = noisy_or_power(proportion(34, 40), proportion(12, 960))

    assert power.value == pytest.approx(0.8481, abs=1e-4)
    assert power.low == pytest.approx(0.7028, abs=1e-4)
    assert edge(power).dependency == "hard"


def test_9_1_power_is_never_negative_when_callers_fail_less_with_their_callee() -> None:
    power = noisy_or_power(proportion(0, 40), proportion(300, 960))

    assert (power.value, power.low) == (0.0, 0.0)
    assert edge(power).dependency == "soft"


def test_9_1_ten_failures_are_needed() -> None:
    short = proportion(9, 9, minimum=10, reason="10 are needed, 9 came")

    power = noisy_or_power(short, proportion(0, 960))

    assert (power.value, power.state, power.reason) == (None, State.INSUFFICIENT_DATA, "10 are needed, 9 came")
    assert edge(power).dependency == "unknown"


def test_what_goes_away_within_minutes_is_a_common_cause_and_no_hard_dependency() -> None:
    power = noisy_or_power(proportion(38, 40), proportion(12, 960))

    assert edge(power, adjusted=0.9).dependency == "hard"
    assert edge(power, adjusted=0.1).common_cause
    assert edge(power, adjusted=0.1).dependency == "soft"
    assert edge(power, adjusted=0.4).common_cause
    assert edge(power, adjusted=0.4).dependency == "partial"


def test_9_3_powers_multiply_along_a_chain() -> None:
    entry = calls(("shop", "orders", 1), ("orders", "stock", 1))

    assert radius_of("stock", entry, {("shop", "orders"): 0.9, ("orders", "stock"): 0.8}) == pytest.approx(0.72)
    assert radius_of("shop", entry, {}) == 1


def test_9_3_independent_paths_combine() -> None:
    entry = calls(("shop", "orders", 1), ("orders", "stock", 1), ("shop", "stock", 1))
    power = {("shop", "orders"): 0.9, ("orders", "stock"): 0.8, ("shop", "stock"): 0.5}

    assert radius_of("stock", entry, power) == pytest.approx(0.86)


def test_9_3_requests_that_do_not_make_the_call_do_not_fail() -> None:
    entry = calls(("shop", "orders", 0.5), ("orders", "stock", 0.5))

    assert radius_of("stock", entry, {("shop", "orders"): 1.0, ("orders", "stock"): 1.0}) == pytest.approx(0.25)


def test_calls_that_lead_back_to_their_caller_end() -> None:
    entry = calls(("shop", "orders", 1), ("orders", "stock", 1), ("stock", "orders", 1))

    shares = fails_with(entry, {}, 1.0)

    assert shares.tolist() == pytest.approx([1, 1, 1])


def test_9_4_availability_oracles() -> None:
    assert serial_availability([0.999] * 5) == pytest.approx(0.99501, abs=1e-5)
    assert serial_availability([0.999] * 10) == pytest.approx(0.99004, abs=1e-5)
    assert serial_availability([0.999833] * 6) == pytest.approx(0.999, abs=1e-5)
    assert soft_availability(0.2, 0.999) == pytest.approx(0.9998)


def test_9_4_amplification_oracle() -> None:
    estimate = amplification(np.full(10, 10.0), np.array([10.0] * 5 + [16.0] * 5))

    assert estimate.value == pytest.approx(1.30)
    assert estimate.low is not None
    assert estimate.high is not None
    assert 1 <= estimate.low < 1.30 < estimate.high


def test_amplification_needs_calls() -> None:
    assert amplification(np.array([3.0]), np.array([9.0])).state is State.INSUFFICIENT_DATA


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9), st.integers(1, 6))
def test_the_best_choice_of_runs_is_found(scores: list[int], price: int) -> None:
    runs = runs_of(np.array(scores, dtype=np.float64), float(price))

    def worth(chosen: list[bool]) -> int:
        changes = sum(now and not before for before, now in zip([False, *chosen], chosen, strict=False))
        return sum(score for score, inside in zip(scores, chosen, strict=True) if inside) - price * changes

    best = max(worth([bool(mask >> place & 1) for place in range(len(scores))]) for mask in range(2 ** len(scores)))
    inside = [any(first <= place <= last for first, last in runs) for place in range(len(scores))]
    assert worth(inside) == best
    assert all(before[1] < after[0] for before, after in pairwise(runs))


def test_two_outages_with_a_quiet_night_between_are_two_stretches() -> None:
    scores = np.array([-1.0, 40, 40, *[-1.0] * 50, 40, 40, -1])

    assert runs_of(scores, 20.0) == [(1, 2), (53, 54)]


def test_windows_merged_with_age_are_hours_long() -> None:
    hour_ns = 60 * MINUTE_NS
    at = np.array([0, hour_ns, 5 * hour_ns, 5 * hour_ns + 5 * MINUTE_NS, 6 * hour_ns])

    assert (window_lengths(at) // MINUTE_NS).tolist() == [60, 60, 5, 5, 5]


def troubles(node: str, *starts_min: int, minutes: int = 60) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(node, "service", start * MINUTE_NS, (start + minutes) * MINUTE_NS, 500, 600) for start in starts_min
    )


def steady(days: int) -> RequestClock:
    return RequestClock(np.array([0.0, days * 1440.0 * MINUTE_NS]), np.array([0.0, days * 14_400.0]))


def test_troubles_that_begin_together_are_no_chance() -> None:
    period = (0, 7 * 1440 * MINUTE_NS)
    found = {"a": troubles("a", 500, 5000), "b": troubles("b", 502, 5001), "c": troubles("c", 2000, 8000)}

    pairs = failure_pairs(found, steady(7), period)

    assert [(pair.a, pair.b, pair.coupled, pair.coinciding) for pair in pairs] == [("a", "b", True, 2)]
    assert pairs[0].overlap.value == pytest.approx(0.975)


def test_services_in_trouble_most_of_the_time_are_not_accused_of_failing_together() -> None:
    period = (0, 7 * 1440 * MINUTE_NS)
    often = [number * 60 for number in range(160)]
    found = {"a": troubles("a", *often, minutes=40), "b": troubles("b", *[at + 3 for at in often], minutes=40)}
    shifted = {"a": troubles("a", *often, minutes=40), "b": troubles("b", *[at + 31 for at in often], minutes=40)}

    assert failure_pairs(found, steady(7), period)[0].coupled
    assert not failure_pairs(shifted, steady(7), period)[0].coupled


def test_working_hours_are_no_reason_to_fail_together() -> None:
    """All requests come in 50 minutes; who fails at all fails then."""
    period = (0, 1440 * MINUTE_NS)
    clock = RequestClock(np.array([0.0, 540.0, 590.0, 1440.0]) * MINUTE_NS, np.array([0.0, 0.0, 5_000.0, 5_000.0]))
    found = {"a": troubles("a", 545, minutes=20), "b": troubles("b", 549, minutes=20)}

    assert not failure_pairs(found, clock, period)[0].coupled


def flapping(random: np.random.Generator, services: int, days: int) -> dict[str, tuple[Stretch, ...]]:
    """Services that fail six times within each of one to three hours, independently of each other."""
    found = {}
    for number in range(services):
        hours = random.integers(0, days * 24 - 1, random.integers(1, 4))
        starts = [
            int(hour) * 60 + 10 * time + int(random.integers(0, 3)) for hour in np.unique(hours) for time in range(6)
        ]
        found[f"s{number:02}"] = troubles(f"s{number:02}", *starts, minutes=8)
    return found


def test_services_that_flap_independently_are_not_accused_of_failing_together() -> None:
    """Twenty-five days are the working hours of twelve weeks."""
    random, days = np.random.default_rng(1), 25
    period = (0, days * 1440 * MINUTE_NS)

    alarmed = sum(
        any(pair.coupled for pair in failure_pairs(flapping(random, 20, days), steady(days), period)) for _ in range(40)
    )

    # Of 40 systems two are expected at a false discovery rate of .05; with each stretch counted there were 15.
    assert alarmed <= 4


def test_stretches_of_one_service_soon_after_one_another_are_one_event() -> None:
    period = (0, 84 * 1440 * MINUTE_NS)
    often, apart = [500, 540, 580, 620], [500, 5_000, 50_000, 90_000]

    (once,) = failure_pairs(
        {"a": troubles("a", *often, minutes=9), "b": troubles("b", *often, minutes=9)}, steady(84), period
    )
    (four,) = failure_pairs(
        {"a": troubles("a", *apart, minutes=9), "b": troubles("b", *apart, minutes=9)}, steady(84), period
    )

    assert (once.coinciding, once.overlap.n, once.together) == (1, 1, 36)
    assert (four.coinciding, four.overlap.n, four.together) == (4, 4, 36)
    assert four.q_value < once.q_value


def test_where_few_requests_come_troubles_begin_together_that_begin_within_a_few_of_them() -> None:
    days = 365
    quiet = RequestClock(np.array([0.0, days * 1440.0 * MINUTE_NS]), np.array([0.0, days * 144.0]))
    found = {"a": troubles("a", 50_000), "b": troubles("b", 50_020)}

    (pair,) = failure_pairs(found, quiet, (0, days * 1440 * MINUTE_NS))

    assert (pair.coinciding, pair.coupled) == (1, True)


def test_troubles_that_begin_together_but_are_not_shared_are_not_accused() -> None:
    found = {"a": troubles("a", 50_000, minutes=5), "b": troubles("b", 50_004, minutes=60)}

    (pair,) = failure_pairs(found, steady(84), (0, 84 * 1440 * MINUTE_NS))

    assert pair.q_value < 0.05
    assert (pair.overlap.value, pair.coupled) == (0.2, False)


def test_one_common_trouble_is_worth_knowing_and_only_several_are_an_accusation() -> None:
    period = (0, 84 * 1440 * MINUTE_NS)
    once = {"a": troubles("a", 500), "b": troubles("b", 501)}
    twice = {"a": troubles("a", 500, 90_000), "b": troubles("b", 501, 90_000, minutes=70)}

    (known,), (accused,) = (
        together_findings(failure_pairs(found, steady(84), period), found, {}) for found in (once, twice)
    )

    assert (known.severity, known.title) == (
        Severity.INFO,
        "a and b once failed in the same minutes, each on its own account",
    )
    assert (accused.severity, accused.title) == (
        Severity.WARNING,
        "a and b fail in the same minutes, each on its own account",
    )
    assert (known.evidence["start"], known.evidence["end"]) == ("1970-01-01T08:21:00Z", "1970-01-01T09:20:00Z")
    assert (accused.evidence["occurrences"], accused.evidence["start"]) == (2, "1970-03-04T12:00:00Z")
