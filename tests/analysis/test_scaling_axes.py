"""Which services are said to answer to one load, and which to have hours of their own."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from small_systems import LEDGERS, QUICK, operation, small_system
from stories import UNTIL
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.scaling.facts import CAUSED_REQUESTS, SERVICE_LOAD, _causes, observe_scaling
from tracelith.analysis.scaling.instances import Instances, instance_correlation
from tracelith.analysis.scaling.loads import stretches
from tracelith.analysis.scaling.ratios import elasticity, log_steps, orthogonal_slope, ratio_cv, ratio_variation
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.simulate import simulate
from tracelith.simulate.flow import Call, Entry, Query, Sometimes, Work
from tracelith.simulate.latency import Latency
from tracelith.simulate.topology import Scaling, Service, System
from tracelith.simulate.traffic_shape import OFFICE_HOURS, Cycle
from tracelith.store import Store
from traces import view_of

DAY_NS = 86_400_000_000_000
Float64 = NDArray[np.float64]

A = np.array((100.0, 120, 150, 130, 90, 110))
STEADY = 2 * A * np.array((1, 1.01, 0.99, 1, 1.02, 0.98))
WILD = np.array((50.0, 50, 52, 300, 51, 49))
HOUR = np.ones(6)


def moments(a: Float64, b: Float64) -> tuple[float, float, float]:
    x, y = log_steps(a, HOUR), log_steps(b, HOUR)
    return float(x @ x), float(x @ y), float(y @ y)


def test_12_ratio_that_varies_little_and_much() -> None:
    assert (STEADY / A).mean() == pytest.approx(2, abs=0.001)
    assert ratio_cv(A, STEADY) == pytest.approx(0.0141, abs=0.0001)
    assert ratio_cv(A, WILD) == pytest.approx(0.995, abs=0.001)


def test_12_changes_that_follow_each_other_and_that_do_not() -> None:
    xx, xy, yy = moments(A, STEADY)
    assert float(orthogonal_slope(*(np.array(one) for one in (xx, xy, yy)))) == pytest.approx(0.930, abs=0.005)
    assert xy**2 / (xx * yy) == pytest.approx(0.995, abs=0.001)

    xx, xy, yy = moments(A, WILD)
    assert xy**2 / (xx * yy) == pytest.approx(0.094, abs=0.005)


def test_the_noise_of_single_requests_is_taken_out_of_the_variation_of_a_ratio() -> None:
    random = np.random.default_rng(11)
    a, b = np.full(2_000, 50.0), random.poisson(20, 2_000).astype(float)  # stretches hold about equally many
    noise = np.full(2_000, 1 / 20)
    day = np.repeat(np.arange(20), 100)

    plain = ratio_variation(a, b[:, None], (noise, np.zeros(1)), day)
    found = ratio_variation(a, b[:, None], (noise, np.ones(1)), day)

    assert plain.low[0] > 0.2
    assert found.cv[0] < 0.1
    assert found.low[0] == 0


def test_the_interval_of_a_ratios_variation_holds_the_truth() -> None:
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        rate = 40 * np.exp(random.normal(0, 0.4, 240))
        a, b = np.maximum(random.poisson(100, 240), 1).astype(float), random.poisson(rate).astype(float)
        noise = np.full(240, 1 / 100 + 1 / rate.mean()), np.ones(1)
        found = ratio_variation(a, b[:, None], noise, np.repeat(np.arange(20), 12))
        truth = np.sqrt(np.exp(0.16) - 1)
        held += bool(found.low[0] <= truth <= found.high[0])

    assert held >= 180


def test_the_slope_is_not_flattened_by_noise_of_the_second_rate() -> None:
    random = np.random.default_rng(3)
    load = 60 * np.exp(np.cumsum(random.normal(0, 0.3, 400)) * 0.3)
    a, b = random.poisson(load).astype(float), random.binomial(random.poisson(load), 0.3).astype(float)
    lengths, day = np.ones(400), np.repeat(np.arange(20), 20)
    expected = load, 0.3 * load
    noise_a, noise_b = ((1 / one)[1:] + (1 / one)[:-1] for one in expected)

    found = elasticity(
        (log_steps(a, lengths), log_steps(b, lengths)),
        (noise_a, noise_b, 0 * noise_a),
        day[1:],
    )

    assert found.slope.low is not None
    assert found.slope.high is not None
    assert found.slope.low < 1 < found.slope.high


def test_stretches_are_as_short_as_the_number_of_requests_allows() -> None:
    counts = np.array([0.0, 3, 9, 1, 1, 1, 7, 30, 2, 2])

    firsts = stretches(counts, 10)

    assert firsts.tolist() == [0, 3, 7]
    assert np.add.reduceat(counts, firsts).tolist() == [12, 10, 34]


def test_instances_that_grow_and_shrink_together_are_seen_in_their_changes() -> None:
    at = np.arange(48)
    day = 2 + 2 * (at % 24 > 8).astype(np.int64)
    night = 2 + 2 * (at % 24 < 8).astype(np.int64)

    grows = Instances(at, day, 1)

    assert instance_correlation(grows, Instances(at, 3 * day, 1)) == pytest.approx(1)
    assert instance_correlation(grows, Instances(at, night, 1)) < 0.1  # type: ignore[operator]  # known here
    assert instance_correlation(grows, Instances(at, np.full(48, 3), 1)) is None


CAUSES = """
web SERVER GET /p 0..100ms
  web CLIENT api 1..99ms
    api SERVER GET /api 3..97ms
      api CLIENT data 4..96ms
        data SERVER GET /data 5..95ms
          data CLIENT api 6..50ms
            api SERVER GET /back 7..49ms
              api CLIENT data 8..40ms
                data SERVER GET /more 9..20ms

web SERVER GET /q 0..10ms
  web PRODUCER jobs 1..2ms mq=kafka object=jobs
    worker CONSUMER jobs 5..50ms mq=kafka object=jobs
"""


def test_a_request_is_caused_once_by_every_service_above_it_by_calls_and_messages() -> None:
    facts = observe_scaling(view_of(CAUSES))

    caused = {
        (row["cause"], row["service"]): (row["requests"], row["direct"])
        for row in facts[CAUSED_REQUESTS.name].to_dicts()
    }
    assert caused == {
        ("web", "api"): (2, 1),
        ("web", "data"): (2, 0),
        ("api", "data"): (2, 2),
        ("data", "api"): (1, 1),
        ("web", "worker"): (1, 1),
    }


@given(
    spans=st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 2)), min_size=6, max_size=6),
    messages=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=4),
)
def test_causes_are_what_climbing_finds_even_where_requests_link_in_a_circle(
    spans: list[tuple[int, int]], messages: list[tuple[int, int]]
) -> None:
    above, service = (np.array([span[column] for span in spans], np.int32) for column in range(2))
    receiver, sender = (np.array([message[column] for message in sorted(messages)], np.int32) for column in range(2))
    expected = {}
    for row in range(6):
        causes = {cause: True for at, cause in messages if at == row}
        at, level = above[row], 0
        while at >= 0 and level < 32:
            causes.setdefault(service[at], level == 0)
            at, level = above[at], level + 1
        expected |= {(row, cause): direct for cause, direct in causes.items() if cause != service[row]}

    rows, causes, direct = _causes.py_func(np.arange(6, dtype=np.int32), above, service, 3, (receiver, sender))

    assert dict(zip(zip(rows, causes, strict=True), direct, strict=True)) == expected
    assert rows.size == len(expected)


def test_requests_of_one_trace_vary_together() -> None:
    load = {row["service"]: row for row in observe_scaling(view_of(CAUSES))[SERVICE_LOAD.name].to_dicts()}

    assert (load["api"]["weight"], load["api"]["squares"]) == (2, 4)
    assert (load["web"]["weight"], load["web"]["squares"]) == (2, 2)


def test_sampled_requests_count_as_what_they_stand_for() -> None:
    sampled = "shop SERVER GET / 0..9ms weight=4\n\nshop SERVER GET / 0..9ms weight=?\n"

    load = observe_scaling(view_of(sampled))[SERVICE_LOAD.name].to_dicts()[0]

    assert (load["requests"], load["unweighted"], load["weight"], load["squares"]) == (2, 1, 5, 17)


# --- simulated weeks -------------------------------------------------------------------------------------------

NIGHT = Cycle(peak_hour=2.0, swing=0.9, weekend=1.0)
FRONT, BACK = Service("front", "go", 3, "1.0"), Service("back", "java", 3, "1.0")
MAYBE = Service("maybe", "java", 2, "1.0")
DESK, LEDGER = Service("desk", "go", 2, "1.0"), Service("ledger", "go", 2, "1.0")
BATCH = Service("batch", "python", 6, "1.0", scaling=Scaling(NIGHT, least=1))


def week() -> System:
    """front always calls back and sometimes maybe; desk keeps the same hours, calls nobody and shares ledger; batch
    works at night."""
    quick = Work(QUICK)
    stored = operation(LEDGER, quick, Query(LEDGERS, "SELECT", "ledgers", QUICK), route="/ledgers")
    page = operation(
        FRONT,
        quick,
        Call(operation(BACK, quick)),
        Sometimes(0.4, (Call(operation(MAYBE, quick, route="/maybe")),)),
        Call(stored),
        route="/pages",
    )
    return replace(
        small_system(services=(FRONT, BACK, MAYBE, DESK, LEDGER, BATCH)),
        entries=(
            Entry(page, share=4, cycle=OFFICE_HOURS),
            Entry(operation(DESK, quick, Call(stored), route="/desk"), share=3, cycle=OFFICE_HOURS),
            Entry(operation(BATCH, Work(Latency(5, 20)), route="/batch"), share=3, cycle=NIGHT),
        ),
    )


@pytest.fixture(scope="module")
def observed() -> Iterator[tuple[Engine, int]]:
    """An engine that has seen the week, and when the week began."""
    simulation = simulate(week(), seed=5, weeks=1, traces=7_000, until=UNTIL)
    with Store.open(None) as store:
        engine = Engine(store, [one for one in registered_analyses() if one.name == "scaling_axes"])
        writer = SpanWriter(store)
        writer.write([describe(decode_requests(list(simulation.payloads())).raw)])
        engine.analyse_stale(0.0)
        yield engine, simulation.period_us[0] * 1_000


@pytest.fixture(scope="module")
def document(observed: tuple[Engine, int]) -> dict[str, Any]:
    engine, start_ns = observed
    return dict(engine.conclude(None, start_ns, start_ns + 7 * DAY_NS))


def label(document: dict[str, Any], a: str, b: str) -> str | None:
    found = (row["label"] for row in document["scaling"]["pairs"] if {row["a"], row["b"]} == {a, b})
    return next(found, None)


def test_a_service_that_only_one_other_calls_is_on_its_axis(document: dict[str, Any]) -> None:
    assert label(document, "front", "back") == "same_axis"
    assert document["scaling"]["groups"][0][:2] == ["back", "front"]
    pair = next(row for row in document["scaling"]["pairs"] if (row["a"], row["b"]) == ("front", "back"))
    assert pair["calls_per_request"] == pytest.approx(1)
    assert pair["elasticity"]["value"] == pytest.approx(1, abs=0.01)


def test_all_services_on_one_axis_are_one_finding_worth_knowing(document: dict[str, Any]) -> None:
    (finding,) = (one for one in document["findings"] if one["rule"] == "same-scaling-axis")

    assert finding["severity"] == "info"
    assert finding["subjects"] == ["front", "back", "maybe"]
    assert finding["title"] == "back and maybe grow and shrink with front, the cause of 100 % of their requests"
    assert "back and maybe are called within the group alone" in finding["advice"]


def test_a_call_that_some_requests_make_still_follows_the_load(document: dict[str, Any]) -> None:
    assert label(document, "front", "maybe") == "same_axis"


def test_a_service_with_two_callers_is_on_nobodys_axis(document: dict[str, Any]) -> None:
    pair = next(row for row in document["scaling"]["pairs"] if (row["a"], row["b"]) == ("front", "ledger"))
    assert pair["label"] == "unclear"
    assert pair["dominance"]["value"] == pytest.approx(4 / 7, abs=0.03)


def test_20_14_services_that_follow_the_same_working_day_without_a_call_share_no_axis(document: dict[str, Any]) -> None:
    assert label(document, "front", "desk") is None
    assert {row["service"]: row["label"] for row in document["scaling"]["services"]}["desk"] == "unclear"


def test_a_service_that_works_at_night_has_an_axis_of_its_own(document: dict[str, Any]) -> None:
    rows = {row["service"]: row for row in document["scaling"]["services"]}

    assert [name for name, row in rows.items() if row["label"] == "own_axis"] == ["batch"]
    assert {label(document, "batch", other) for other in ("front", "back", "desk", "ledger")} == {"own_axis"}
    assert rows["batch"]["fewest_instances"] < rows["batch"]["most_instances"]
    assert rows["back"]["main_caller"] == "front"


def test_a_working_week_without_its_weekend_is_not_enough(observed: tuple[Engine, int]) -> None:
    engine, start_ns = observed

    scaling = engine.conclude(None, start_ns, start_ns + 5 * DAY_NS)["scaling"]

    assert (scaling["status"], scaling["pairs"], scaling["services"]) == ("insufficient_data", [], [])
    assert scaling["reason"] == "7 days with a weekend among them are needed, requests came on 5"


def test_nothing_seen_is_nothing_known(observed: tuple[Engine, int]) -> None:
    engine, start_ns = observed

    scaling = engine.conclude(None, start_ns - 9 * DAY_NS, start_ns - 2 * DAY_NS)["scaling"]

    assert (scaling["status"], scaling["same_axis_share"]["value"]) == ("insufficient_data", None)
