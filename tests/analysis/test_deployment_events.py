"""Deployments from versions seen in traces and from what was told, with the traps of metrics.md §7.1."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment_logs import HOUR_NS, MONDAY_NS
from tracelith.analysis.deployments.events import DeploymentEvents, deployment_events
from tracelith.analysis.deployments.version_sightings import (
    SERVICE_VERSIONS,
    Ignored,
    detection_delay_ns,
    observe_versions,
)
from tracelith.model.facts import merge_facts
from tracelith.model.schema import DEPLOYMENT, WINDOW_NS
from traces import START_NS, view_of

MINUTE_NS = 60 * 10**9
DAY_NS = 24 * HOUR_NS
Run = tuple[str, str, float, float]
"""Service, version, first and last hour in which it served a request every ten seconds."""


def sightings(*runs: Run, traces: int = 30) -> pl.DataFrame:
    """Facts of services that ran these versions, one row per window."""
    rows = []
    for service, version, first, last in runs:
        begin, end = (MONDAY_NS + round(hour * HOUR_NS) for hour in (first, last))
        for window in range(begin // WINDOW_NS * WINDOW_NS, end, WINDOW_NS):
            inside = max(begin, window), min(end, window + WINDOW_NS - 10**10)
            rows.append((window, "", service, version, traces, traces, *inside))
    return pl.DataFrame(rows, schema=SERVICE_VERSIONS.schema, orient="row")


def told(*rows: tuple[str, str, float], source: str = "api") -> pl.DataFrame:
    """Service, version and hour of deployments somebody told of."""
    times = [MONDAY_NS + round(hour * HOUR_NS) for _, _, hour in rows]
    return pl.DataFrame(
        {
            "service": [service for service, _, _ in rows],
            "environment": "",
            "version": [version for _, version, _ in rows],
            "at_ns": times,
            "earliest_ns": times,
            "source": source,
        },
        schema=DEPLOYMENT,
    )


def events_of(seen: pl.DataFrame, told_rows: pl.DataFrame | None = None) -> DeploymentEvents:
    """Deployments in half a year."""
    rows = pl.DataFrame(schema=DEPLOYMENT) if told_rows is None else told_rows
    return deployment_events(seen, rows, start_ns=MONDAY_NS, end_ns=MONDAY_NS + 26 * 7 * DAY_NS)


def short(found: DeploymentEvents) -> list[tuple[str, str, float]]:
    """Service, version and hour of each event."""
    rows = found.events.select("service", "version", (pl.col("at_ns") - MONDAY_NS) / HOUR_NS).rows()
    return [(service, version, round(hour, 3)) for service, version, hour in rows]


def reasons(found: DeploymentEvents) -> dict[str, str]:
    return dict(found.ignored.select("service", "reason").iter_rows())


def test_spans_become_sightings_per_window_and_version():
    view = view_of("""
        shop SERVER GET /a 0..90ms version=1.0
          shop CLIENT b 10..40ms version=1.0
            price SERVER GET /b 12..38ms version=7

        shop SERVER GET /a 200..290ms version=1.1 environment=staging
    """)

    seen = observe_versions(view)

    assert seen.schema == SERVICE_VERSIONS.schema
    assert seen.drop("window_ns", "first_ns", "last_ns").rows() == [
        ("", "price", "7", 1, 1),
        ("", "shop", "1.0", 2, 1),
        ("staging", "shop", "1.1", 1, 1),
    ]
    assert set(seen["window_ns"]) == {START_NS // WINDOW_NS * WINDOW_NS}
    assert seen["first_ns"].to_list()[1] == START_NS
    assert seen["last_ns"].to_list()[1] == START_NS + 10_000_000


def test_a_version_that_replaces_another_is_a_deployment_at_its_first_span():
    found = events_of(sightings(("auth", "1", 0, 10), ("auth", "2", 10.25, 20)))

    assert short(found) == [("auth", "2", 10.25)]
    row = found.events.row(0, named=True)
    assert row["source"] == "traces"
    assert (row["at_ns"] - row["earliest_ns"]) / MINUTE_NS == pytest.approx(15, abs=0.5)
    assert row["rollout_end_ns"] == row["at_ns"]


def test_the_version_running_when_observation_begins_is_no_deployment():
    found = events_of(sightings(("auth", "1", 0, 50), ("new", "1", 20, 50)))

    assert short(found) == []


def test_two_versions_running_when_observation_begins_are_both_no_deployment():
    found = events_of(sightings(("auth", "1", 0, 50), ("auth", "2", 0.2, 50)))

    assert short(found) == []


def test_a_canary_counts_from_its_first_span_and_once():
    found = events_of(sightings(("auth", "1", 0, 40), ("auth", "2", 10, 60)))

    assert short(found) == [("auth", "2", 10)]
    row = found.events.row(0, named=True)
    assert (row["rollout_end_ns"] - MONDAY_NS) / HOUR_NS == pytest.approx(40, abs=0.01)
    assert row["at_ns"] - row["earliest_ns"] <= 5 * MINUTE_NS


def test_a_return_within_seven_days_is_no_deployment_and_after_them_is_one():
    early = sightings(("auth", "1", 0, 24), ("auth", "2", 24, 72), ("auth", "1", 72, 90))
    late = sightings(("auth", "1", 0, 24), ("auth", "2", 24, 240), ("auth", "1", 240, 250))

    assert short(events_of(early)) == [("auth", "2", 24)]
    assert short(events_of(late)) == [("auth", "2", 24), ("auth", "1", 240)]


def test_a_version_back_after_a_silence_without_another_was_restarted():
    found = events_of(sightings(("batch", "1", 0, 2), ("batch", "1", 240, 242)))

    assert short(found) == []


def test_versions_that_name_nothing_are_ignored_and_said_so():
    runs = [
        ("auth", version, 5 * number, 5 * number + 5)
        for number, version in enumerate(("", "latest", "Unknown", "${TAG}"))
    ]

    found = events_of(sightings(*runs))

    assert short(found) == []
    assert found.ignored.rows() == [("auth", Ignored.NAMELESS.value, 4)]


def test_deployments_of_one_service_within_half_an_hour_are_one():
    found = events_of(
        sightings(("auth", "1", 0, 10), ("auth", "2", 10, 10.2), ("auth", "3", 10.2, 10.4), ("auth", "4", 10.4, 20))
    )

    assert short(found) == [("auth", "4", 10)]


def test_one_version_for_the_whole_repository_tells_nothing_about_a_service():
    services = ("auth", "billing", "user", "web")
    runs = [
        (service, f"sha{number}", 20 * number + 0.05 * place, 20 * number + 20)
        for place, service in enumerate(services)
        for number in range(6)
    ]

    found = events_of(sightings(*runs))

    assert short(found) == []
    assert reasons(found) == dict.fromkeys(services, Ignored.SHARED.value)


def test_a_version_shared_by_a_few_of_many_services_is_evidence():
    together = [(service, f"2.{number}", 20 * number, 20 * number + 20) for service in "ab" for number in range(6)]
    others = [
        (service, f"{service}{number}", 20 * number + 3, 20 * number + 23) for service in "cdef" for number in range(6)
    ]

    found = events_of(sightings(*together, *others))

    assert found.ignored.is_empty()
    assert found.events.filter(pl.col("service").is_in(["a", "b"])).height == 10


def test_2_3_detection_delay_oracle():
    hour = sightings(("auth", "1", 0, 1), traces=1).with_columns(
        first_ns=pl.lit(MONDAY_NS), last_ns=pl.lit(MONDAY_NS + 3_600_000_000_000)
    )
    sampled = hour.head(1).with_columns(traces=pl.lit(7.2))  # .2 requests a second, 1 % sampled, for an hour

    delay = detection_delay_ns(sampled)["delay_ns"][0]

    assert delay / 10**9 == pytest.approx(1498, abs=1)


def test_a_service_with_too_few_requests_cannot_be_dated():
    found = events_of(
        sightings(*(("rare", str(version), 24 * version, 24 * version + 0.1) for version in range(6)), traces=1)
    )

    assert short(found) == []
    assert reasons(found) == {"rare": Ignored.LOW_TRAFFIC.value}


def test_a_version_that_appears_after_a_gap_cannot_be_dated():
    found = events_of(
        sightings(("auth", "1", 0, 10), ("auth", "2", 22, 40), ("user", "1", 0, 10), ("user", "2", 22, 40))
    )

    assert short(found) == []
    assert set(reasons(found).values()) == {Ignored.GAP.value}


def test_blocks_of_an_hour_still_date_a_version_within_minutes():
    fine = sightings(("auth", "1", 0, 10.4), ("auth", "2", 10.2, 20))
    hours = merge_facts(
        SERVICE_VERSIONS,
        fine.with_columns(pl.col("window_ns") // HOUR_NS * HOUR_NS),
        ["window_ns", "environment", "service", "version"],
    )

    row = events_of(hours).events.row(0, named=True)

    assert row["at_ns"] == MONDAY_NS + round(10.2 * HOUR_NS)
    assert row["at_ns"] - row["earliest_ns"] <= 5 * MINUTE_NS


def test_what_was_told_takes_precedence_over_what_was_seen():
    seen = sightings(("auth", "1", 0, 10.5), ("auth", "2", 10.5, 50), ("user", "1", 0, 20), ("user", "2", 20, 50))

    found = events_of(seen, told(("auth", "2", 10)))

    assert short(found) == [("auth", "2", 10), ("user", "2", 20)]
    assert found.events["source"].to_list() == ["api", "traces"]
    assert found.ignored.is_empty()


def test_a_version_nobody_told_of_is_reported_where_others_were_told():
    runs = [("auth", str(number), 100 * number, 100 * number + 100) for number in range(4)]

    found = events_of(sightings(*runs), told(("auth", "1", 99), ("auth", "3", 299)))

    assert [version for _, version, _ in short(found)] == ["1", "3"]
    assert reasons(found) == {"auth": Ignored.UNTOLD.value}


def test_sightings_count_outside_the_period_that_was_told():
    runs = [("auth", str(number), 100 * number, 100 * number + 100) for number in range(6)]

    found = events_of(sightings(*runs), told(("auth", "2", 200.1), ("auth", "3", 299.9)))

    assert [(version, source) for version, source in found.events.select("version", "source").rows()] == [
        ("1", "traces"),
        ("2", "api"),
        ("3", "api"),
        ("4", "traces"),
        ("5", "traces"),
    ]


def test_telling_the_running_version_again_is_no_deployment():
    found = events_of(
        sightings(),
        told(("auth", "1", 0), ("auth", "1", 30), ("auth", "2", 60), ("auth", "1", 90), ("x", "", 5), ("x", "", 9)),
    )

    assert short(found) == [("auth", "1", 0), ("x", "", 5), ("x", "", 9), ("auth", "2", 60), ("auth", "1", 90)]
    assert found.ignored.rows() == [("auth", Ignored.UNCHANGED.value, 1)]


def test_a_service_told_without_its_namespace_is_the_only_one_of_that_name():
    seen = sightings(("shop/auth", "1", 0, 50), ("a/web", "1", 0, 50), ("b/web", "1", 0, 50))

    found = events_of(seen, told(("auth", "2", 10), ("web", "2", 10), ("a/web", "3", 20)))

    assert short(found) == [("shop/auth", "2", 10), ("web", "2", 10), ("a/web", "3", 20)]


def test_commits_are_no_deployments():
    found = events_of(sightings(), told(("auth", "sha1", 0), ("auth", "sha2", 30), source="commits"))

    assert found.events.is_empty()
    assert found.ignored.rows() == [("auth", Ignored.COMMITS.value, 2)]


def test_a_broken_clock_does_not_date_a_version():
    seen = sightings(("auth", "1", 0, 10), ("auth", "2", 10, 20))
    broken = seen.with_columns(
        first_ns=pl.when(pl.col("version") == "2").then(pl.lit(0)).otherwise("first_ns"), last_ns=pl.col("last_ns")
    )

    found = events_of(broken)

    assert short(found) == [("auth", "2", 10)]


def test_nothing_observed_gives_no_events_and_no_period():
    found = events_of(sightings())

    assert found.events.is_empty()
    assert found.observed_start_ns == found.observed_end_ns


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_events_do_not_depend_on_the_order_or_merging_of_facts(random, block: int):
    seen = sightings(("a", "1", 0, 3), ("a", "2", 2.5, 6), ("b", "1", 0, 4), ("b", "2", 4.1, 6))
    order = list(range(seen.height))
    random.shuffle(order)

    shuffled = events_of(seen[order])
    merged = events_of(
        merge_facts(
            SERVICE_VERSIONS,
            seen.with_columns(pl.col("window_ns") // (block * WINDOW_NS) * (block * WINDOW_NS)),
            ["window_ns", "environment", "service", "version"],
        )
    )

    assert shuffled.events.equals(events_of(seen).events)
    assert merged.events.select("service", "version", "at_ns").equals(
        shuffled.events.select("service", "version", "at_ns")
    )
