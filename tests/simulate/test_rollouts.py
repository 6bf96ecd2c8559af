from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tracelith.analysis.statistics.intervals import clopper_pearson
from tracelith.simulate.deployment_truth import deployment_truth
from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import Canary, Monorepo, ReleaseHabit, Rollback, Train
from tracelith.simulate.rollouts import Deployment, DeploymentKind, Fleet, draw_rollouts
from tracelith.simulate.topology import Service, System

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US
START_US = 2_900 * WEEK_US + 2 * DAY_US + 3 * HOUR_US
MONDAY_US = 4 * DAY_US

NAMES = ("a", "b", "c", "d", "e", "f")


def system_of(
    *habits: ReleaseHabit,
    instances: int = 3,
    trains: Iterable[Train] = (),
    canaries: Iterable[Canary] = (),
    rollbacks: Iterable[Rollback] = (),
    monorepos: Iterable[Monorepo] = (),
) -> System:
    return System(
        name="releases",
        title="",
        readme="",
        services=tuple(Service(name, "java", instances, "2.7") for name in NAMES),
        entries=(),
        consumers=(),
        habits=habits,
        network=Latency(1.0, 2.0),
        trains=tuple(trains),
        canaries=tuple(canaries),
        rollbacks=tuple(rollbacks),
        monorepos=tuple(monorepos),
    )


def fleet_of(system: System, weeks: int = 100, seed: int = 1) -> Fleet:
    end_us = START_US + weeks * WEEK_US
    return Fleet.of(system, draw_rollouts(system, np.random.default_rng([seed, 1]), START_US, end_us), seed)


def times_of(deployments: Iterable[Deployment], service: str) -> NDArray[np.int64]:
    return np.array([row.at_us for row in deployments if row.service == service], np.int64)


def share_near(times: NDArray[np.int64], others: NDArray[np.int64], within_us: int) -> tuple[int, int]:
    """How many of these times have one of the others near, and of how many."""
    apart = np.abs(times[:, None] - others[None, :]).min(axis=1)
    return int((apart <= within_us).sum()), times.size


def version_on(fleet: Fleet, service: Service, instance: int, at_us: int) -> str:
    resource = fleet.running(service, np.array([instance]), np.array([at_us]))
    return str(dict(fleet.attributes(int(resource[0])))["service.version"])


def weekday_and_hour(at_us: int) -> tuple[int, float]:
    return (at_us - MONDAY_US) % WEEK_US // DAY_US, at_us % DAY_US / HOUR_US


def test_a_follower_takes_part_in_its_share_of_deployments_and_the_first_service_always_does() -> None:
    fleet = fleet_of(system_of(ReleaseHabit(("a", "b", "c"), 1.0, within_min=10, follows=0.7)), weeks=400)

    rows = fleet.deployments()
    a, b, c = (times_of(rows, name) for name in "abc")

    low, high = clopper_pearson(*share_near(a, b, 10 * MINUTE_US))
    assert low <= 0.7 <= high
    low, high = clopper_pearson(*share_near(b, c, 10 * MINUTE_US))
    assert low <= 0.7 <= high
    near, of = share_near(b, a, 10 * MINUTE_US)
    assert near == of


@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_a_weekly_train_takes_its_share_of_deployments_at_its_hour(share: float) -> None:
    habits = [ReleaseHabit((name,), 0.5) for name in NAMES]
    train = Train(NAMES, share, weekday=3, hour=11.5, within_min=20)

    moments = [weekday_and_hour(row.at_us) for row in fleet_of(system_of(*habits, trains=(train,))).deployments()]

    aboard = sum(day == 3 and 11.5 <= hour <= 11.5 + 20 / 60 for day, hour in moments)
    off_hour_share = sum(day == 1 and 11.5 <= hour <= 11.5 + 20 / 60 for day, hour in moments) / len(moments)
    # two changes of one service that wait for one departure leave as one deployment: at 0.5 a week a tenth of them
    assert share - 0.12 <= aboard / len(moments) <= share + 0.05
    assert off_hour_share < 0.03


def test_a_fortnightly_train_departs_every_other_week() -> None:
    habits = [ReleaseHabit((name,), 2.0) for name in NAMES]
    train = Train(NAMES, 1.0, every_weeks=2)

    rows = fleet_of(system_of(*habits, trains=(train,)), weeks=40).deployments()

    weeks = sorted({(row.at_us - MONDAY_US) // WEEK_US for row in rows})
    assert {later - earlier for earlier, later in pairwise(weeks)} == {2}
    assert len(rows) == 6 * len(weeks)


def test_an_irregular_train_leaves_in_some_weeks_at_changing_times_of_working_time() -> None:
    habits = [ReleaseHabit((name,), 2.0) for name in NAMES]
    train = Train(NAMES, 1.0, departs=0.4, within_min=15)

    rows = fleet_of(system_of(*habits, trains=(train,)), weeks=200).deployments()

    weeks = Counter((row.at_us - MONDAY_US) // WEEK_US for row in rows)
    slots = {(weekday_and_hour(row.at_us)[0], int(weekday_and_hour(row.at_us)[1])) for row in rows}
    low, high = clopper_pearson(len(weeks), 200)
    assert low <= 0.4 <= high
    assert len(slots) > 20
    assert {day for day, _ in slots} == {0, 1, 2, 3, 4}
    for week in weeks:
        of_week = [row.at_us for row in rows if (row.at_us - MONDAY_US) // WEEK_US == week]
        assert max(of_week) - min(of_week) <= 15 * MINUTE_US


def test_a_group_waits_for_the_train_as_a_whole_and_stays_close_on_it() -> None:
    group = ReleaseHabit(("a", "b", "c"), 1.0, within_min=5)
    train = Train(("a", "b", "c", "d"), 0.5, within_min=20)

    rows = fleet_of(system_of(group, trains=(train,)), weeks=300).deployments()

    a, b, c = (times_of(rows, name) for name in "abc")
    assert share_near(a, b, 5 * MINUTE_US) == (a.size, a.size)
    assert share_near(b, c, 5 * MINUTE_US) == (b.size, b.size)
    on_slot = sum(day == 2 and 14 <= hour <= 14 + 20 / 60 for day, hour in map(weekday_and_hour, a.tolist()))
    assert 0.3 < on_slot / a.size < 0.6


def test_a_canary_runs_on_the_first_instance_hours_before_the_others() -> None:
    system = system_of(ReleaseHabit(("a",), 1.0), canaries=(Canary(("a",), 1.0, hours=3.0),))
    fleet, service = fleet_of(system, weeks=20), system.service("a")

    rows = fleet.deployments()

    assert rows
    assert {row.kind for row in rows} == {DeploymentKind.CANARY}
    for before, row in pairwise(rows):
        assert version_on(fleet, service, 0, row.at_us - 1) == before.version
        assert version_on(fleet, service, 0, row.at_us) == row.version
        assert version_on(fleet, service, 1, row.at_us + 3 * HOUR_US - 1) == before.version
        assert version_on(fleet, service, 1, row.at_us + 3 * HOUR_US + MINUTE_US) == row.version


def test_a_failed_canary_is_taken_back_and_the_others_never_ran_it() -> None:
    system = system_of(ReleaseHabit(("a",), 1.0), canaries=(Canary(("a",), 1.0, hours=2.0, fails=1.0),))
    fleet, service = fleet_of(system, weeks=20), system.service("a")

    rows = fleet.deployments()

    assert [row.version for row in rows] == [f"2.7.{number}" for number in range(1, len(rows) + 1)]
    assert {row.kind for row in rows} == {DeploymentKind.FAILED_CANARY}
    for row in rows:
        assert version_on(fleet, service, 0, row.at_us) == row.version
        assert version_on(fleet, service, 0, row.at_us + 2 * HOUR_US) == "2.7.0"
        assert version_on(fleet, service, 2, row.at_us + DAY_US) == "2.7.0"


def test_one_instance_alone_has_no_canary() -> None:
    canary = Canary(("a",), 1.0, fails=1.0)
    fleet = fleet_of(system_of(ReleaseHabit(("a",), 1.0), instances=1, canaries=(canary,)), weeks=20)

    kinds = {row.kind for row in fleet.deployments()}

    assert kinds == {DeploymentKind.RELEASE}


def test_canaries_and_their_failures_come_in_their_shares() -> None:
    canary = Canary(("a",), 0.4, fails=0.3)
    system = system_of(ReleaseHabit(("a",), 2.0), canaries=(canary,))

    kinds = Counter(row.kind for seed in range(5) for row in fleet_of(system, 200, seed).deployments())

    canaries = kinds[DeploymentKind.CANARY] + kinds[DeploymentKind.FAILED_CANARY]
    low, high = clopper_pearson(canaries, kinds.total())
    assert low <= 0.4 <= high
    low, high = clopper_pearson(kinds[DeploymentKind.FAILED_CANARY], canaries)
    assert low <= 0.3 <= high


def test_a_rollback_deploys_the_version_before_in_new_processes() -> None:
    system = system_of(ReleaseHabit(("a",), 1.0), rollbacks=(Rollback(("a",), 0.25, after_min=90),))
    fleet, service = fleet_of(system, weeks=300), system.service("a")

    rows = fleet.deployments()

    running = "2.7.0"
    kept = released = 0
    for row, following in pairwise(rows):
        if row.kind is DeploymentKind.ROLLBACK:
            continue
        released += 1
        if following.kind is DeploymentKind.ROLLBACK:
            kept += 1
            assert following.version == running
            assert following.at_us == row.at_us + 90 * MINUTE_US
            assert version_on(fleet, service, 1, following.at_us + MINUTE_US) == running
            assert process_of(fleet, service, following.at_us) != process_of(fleet, service, row.at_us - 1)
        else:
            running = row.version
    low, high = clopper_pearson(kept, released)
    assert low <= 0.25 <= high


def process_of(fleet: Fleet, service: Service, at_us: int) -> str:
    resource = fleet.running(service, np.array([0]), np.array([at_us]))
    return str(dict(fleet.attributes(int(resource[0])))["service.instance.id"])


def test_in_a_monorepo_services_released_from_one_cut_carry_one_commit() -> None:
    habits = (ReleaseHabit(("a", "b"), 0.5, within_min=5), ReleaseHabit(("c",), 0.5), ReleaseHabit(("d",), 0.5))
    fleet = fleet_of(system_of(*habits, monorepos=(Monorepo(("a", "b", "c")),)))

    rows = fleet.deployments()

    commits = {name: {row.version for row in rows if row.service == name} for name in "abcd"}
    assert commits["a"] == commits["b"]
    assert not commits["a"] & commits["c"]
    assert all(len(version) == 12 and int(version, 16) >= 0 for version in commits["a"] | commits["c"])
    assert all(version.startswith("2.7.") for version in commits["d"])


def test_a_monorepo_that_deploys_all_at_once_restarts_everything_for_every_change() -> None:
    habits = (ReleaseHabit(("a",), 0.5), ReleaseHabit(("b",), 0.5), ReleaseHabit(("d",), 0.5))
    fleet = fleet_of(system_of(*habits, monorepos=(Monorepo(("a", "b", "c"), all_at_once=True),)))

    of_version = defaultdict(list)
    for row in fleet.deployments():
        of_version[row.version].append(row)

    repository = [rows for version, rows in of_version.items() if not version.startswith("2.7.")]
    assert 70 < len(repository) < 130
    for rows in repository:
        assert sorted(row.service for row in rows) == ["a", "b", "c"]
        assert max(row.at_us for row in rows) - min(row.at_us for row in rows) <= 5 * MINUTE_US


def test_the_truth_names_bound_pairs_with_the_share_of_deployments_they_have_in_common() -> None:
    habits = (ReleaseHabit(("a", "b", "c"), 1.0, follows=0.5), ReleaseHabit(("b",), 0.5), ReleaseHabit(("e",), 1.0))
    trains = (Train(NAMES, 0.5),)
    system = system_of(*habits, trains=trains, monorepos=(Monorepo(("d", "e"), all_at_once=True),))

    truth = deployment_truth(system, fleet_of(system))

    assert truth["bound"] == [
        {"services": ["a", "b"], "share_of_a": 0.5, "share_of_b": 0.5, "by": "habit"},
        {"services": ["a", "c"], "share_of_a": 0.5, "share_of_b": 1.0, "by": "habit"},
        {"services": ["b", "c"], "share_of_a": 0.25, "share_of_b": 0.5, "by": "habit"},
        {"services": ["d", "e"], "share_of_a": 1.0, "share_of_b": 1.0, "by": "monorepo"},
    ]


def test_the_truth_counts_what_happened() -> None:
    system = system_of(
        *(ReleaseHabit((name,), 1.0) for name in NAMES),
        canaries=(Canary(("a", "b"), 0.5, fails=0.5),),
        rollbacks=(Rollback(("b", "c"), 0.5),),
    )
    fleet = fleet_of(system)

    truth = deployment_truth(system, fleet)

    rows = fleet.deployments()
    assert truth["count"] == {name: sum(row.service == name for row in rows) for name in NAMES}
    assert set(truth["failed_canaries"]) == {"a", "b"}
    assert set(truth["rollbacks"]) == {"b", "c"}
    assert sum(truth["rollbacks"].values()) == sum(row.kind is DeploymentKind.ROLLBACK for row in rows)


plans = st.builds(
    system_of,
    st.builds(ReleaseHabit, st.just(("a", "b")), st.floats(0, 4), st.floats(0, 30), st.floats(0, 1)),
    st.builds(ReleaseHabit, st.just(("b",)), st.floats(0, 8)),
    st.builds(ReleaseHabit, st.just(("c", "d")), st.floats(0, 2)),
    instances=st.integers(1, 4),
    trains=st.lists(
        st.builds(Train, st.just(("a", "c")), st.floats(0, 1), st.integers(1, 3), st.floats(0, 1)), max_size=1
    ),
    canaries=st.lists(
        st.builds(Canary, st.just(("a", "d")), st.floats(0, 1), st.floats(0, 30), st.floats(0, 1)), max_size=1
    ),
    rollbacks=st.lists(st.builds(Rollback, st.just(("b", "d")), st.floats(0, 1), st.floats(1, 600)), max_size=1),
    monorepos=st.lists(st.builds(Monorepo, st.just(("a", "c", "e")), st.booleans()), max_size=1),
)


@given(plans, st.integers(2, 8), st.integers(0, 1_000))
def test_whatever_the_plan_deployments_are_ordered_apart_and_inside_the_period(
    system: System, weeks: int, seed: int
) -> None:
    rows = fleet_of(system, weeks, seed).deployments()

    assert list(rows) == sorted(rows, key=lambda row: (row.at_us, row.service))
    assert all(START_US + DAY_US <= row.at_us < START_US + weeks * WEEK_US for row in rows)
    for name in NAMES:
        of_service = [row for row in rows if row.service == name]
        assert all(
            later.at_us - earlier.at_us >= HOUR_US
            for earlier, later in pairwise(of_service)
            if later.kind is not DeploymentKind.ROLLBACK
        )
        assert all(later.version != earlier.version for earlier, later in pairwise(of_service))


@given(plans, st.integers(0, 1_000))
def test_equal_seeds_give_equal_deployments_and_processes(system: System, seed: int) -> None:
    first, second = fleet_of(system, 6, seed), fleet_of(system, 6, seed)

    assert first.deployments() == second.deployments()
    assert [first.attributes(number) for number in range(first.first_resource[-1])] == [
        second.attributes(number) for number in range(second.first_resource[-1])
    ]


@given(plans, st.integers(0, 1_000))
def test_every_moment_has_a_process_of_the_service_and_versions_only_pass_on(system: System, seed: int) -> None:
    fleet = fleet_of(system, 6, seed)
    moments = np.sort(np.random.default_rng(seed).integers(START_US, START_US + 6 * WEEK_US, 200))

    for place, service in enumerate(system.services):
        for instance in range(service.instances):
            resources = fleet.running(service, np.full(200, instance), moments)
            assert (resources >= fleet.first_resource[place]).all()
            assert (resources < fleet.first_resource[place + 1]).all()
            assert (np.diff(resources) >= 0).all()
