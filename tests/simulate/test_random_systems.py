"""Random systems: drawn alike everywhere, as large as planned, and with exactly what was planted in them."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from tracelith.simulate import simulate
from tracelith.simulate.accounting import Account, account
from tracelith.simulate.flow import (
    Cached,
    Call,
    Job,
    Operation,
    Parallel,
    Publish,
    Query,
    Repeat,
    Sometimes,
    Step,
    Task,
)
from tracelith.simulate.incidents import GroupStall, Outage
from tracelith.simulate.random_systems import PLANS, draw_system
from tracelith.simulate.topology import System

SEEDS = 200
AIMED_SEEDS = 8
SPANS_AT_MOST = 60


@cache
def drawn(plan: str, seed: int) -> System:
    return draw_system(seed, PLANS[plan])


def systems() -> Iterator[System]:
    """More than 200 systems; few of those whose tails are aimed at, which takes most of a second each."""
    aimed = [name for name, plan in PLANS.items() if plan.tails is not None]
    quick = [name for name in PLANS if name not in aimed]
    for seed in range(SEEDS):
        yield drawn(quick[seed % len(quick)], seed)
    for name in aimed:
        yield from (drawn(name, seed) for seed in range(AIMED_SEEDS))


def inside(step: Step) -> tuple[Step, ...]:
    """The steps of the same service that a step holds."""
    match step:
        case Task() | Sometimes() | Repeat() | Cached():
            return step.steps
        case Parallel(branches):
            return tuple(one for branch in branches for one in branch)
        case Call():
            return step.fallback
        case _:
            return ()


def walk(service: str, steps: tuple[Step, ...]) -> Iterator[tuple[str, Step]]:
    """Every step below, with the service that takes it."""
    for step in steps:
        yield service, step
        yield from walk(service, inside(step))
        if isinstance(step, Call):
            yield from walk(step.operation.service.name, step.operation.steps)


def everything(system: System) -> list[tuple[str, Step]]:
    bodies = [(entry.operation.service.name, entry.operation.steps) for entry in system.entries]
    bodies += [(consumer.service.name, consumer.steps) for consumer in system.consumers]
    return [found for service, steps in bodies for found in walk(service, steps)]


def hops(operation: Operation | Job) -> int:
    """Awaited hops below an operation at most."""
    return _hops(operation.steps)


def _hops(steps: tuple[Step, ...]) -> int:
    below = [_hops(inside(step)) for step in steps]
    below += [1 + hops(step.operation) for step in steps if isinstance(step, Call)]
    return max(below, default=0)


def visited(operation: Operation | Job) -> set[str]:
    return {operation.service.name, *(service for service, _ in walk(operation.service.name, operation.steps))}


@cache
def accounted(plan: str, seed: int) -> Account:
    return account(drawn(plan, seed), seed=seed + 500, requests=16_000, weeks=4)


@pytest.mark.parametrize("plan", PLANS)
def test_a_seed_draws_the_same_system_again_and_another_seed_another_one(plan: str) -> None:
    again = draw_system(3, PLANS[plan])

    assert again == drawn(plan, 3)
    assert again != drawn(plan, 4)


def test_a_train_changes_when_services_are_released_and_nothing_else() -> None:
    without, with_train = (draw_system(11, PLANS["codeployment"].with_train(share)) for share in (0.0, 0.7))

    assert not without.trains
    assert with_train.trains[0].share == 0.7
    assert (without.services, without.entries, without.habits, without.planted) == (
        with_train.services,
        with_train.entries,
        with_train.habits,
        with_train.planted,
    )


def test_systems_have_as_many_services_as_planned_and_different_names() -> None:
    counted = {5: 0, 60: 0, 200: 0}

    for size in counted:
        system = draw_system(size, PLANS["healthy"].with_services((size, size)))
        counted[size] = len({service.name for service in system.services})

    assert counted == {5: 5, 60: 60, 200: 200}


def test_every_name_in_a_system_is_one_of_its_services() -> None:
    for system in systems():
        names = {service.name for service in system.services}

        named = {name for habit in system.habits for name in habit.services}
        named |= {
            name for part in (system.trains, system.canaries, system.rollbacks) for one in part for name in one.services
        }
        named |= {name for group in system.planted["codeploying_groups"] for name in group}
        named |= {tail["service"] for tail in system.planted["tails"]} | {
            tail["caller"] for tail in system.planted["tails"]
        }
        named |= set(system.table_owners.values())
        taking = {service for service, _ in everything(system)}

        assert named | taking <= names
        assert len(names) == len(system.services)


def test_entry_operations_have_names_of_their_own() -> None:
    for system in systems():
        names = [(entry.operation.service.name, entry.operation.name) for entry in system.entries]

        assert len(names) == len(set(names))


def test_services_call_each_other_in_one_direction_only_unless_a_cycle_was_planted() -> None:
    for system in systems():
        order = {service.name: place for place, service in enumerate(system.services)}

        asked_back = {(b, a) for a, b in (cycle["services"] for cycle in system.planted.get("cycles", []))}
        calls = [
            (service, step.operation.service.name) for service, step in everything(system) if isinstance(step, Call)
        ]

        assert {(caller, callee) for caller, callee in calls if order[caller] >= order[callee]} == asked_back


def test_messages_are_taken_by_somebody_and_every_consumer_is_sent_some() -> None:
    for system in systems():
        sent = {step.topic for _, step in everything(system) if isinstance(step, Publish)}

        assert sent == {consumer.topic for consumer in system.consumers}


@pytest.mark.parametrize(("plan", "least", "most"), [("healthy", 0, 2), ("depth", 0, 6)])
def test_chains_are_as_deep_as_planned(plan: str, least: int, most: int) -> None:
    deepest = [max(hops(entry.operation) for entry in drawn(plan, seed).entries) for seed in range(40)]

    assert set(deepest) <= set(range(least, most + 1))
    assert most in deepest


def test_the_truth_of_a_run_says_how_deep_chains_are() -> None:
    for seed in range(5):
        system = drawn("depth", seed)

        truth = simulate(system, seed=1, weeks=1, traces=50).truth

        assert [entry["awaited_hops"] for entry in truth["entry_operations"]] == [
            hops(entry.operation) for entry in system.entries
        ]


@pytest.mark.parametrize("plan", PLANS)
def test_requests_make_few_enough_spans_however_large_the_system(plan: str) -> None:
    large = draw_system(5, PLANS[plan].with_services((200, 200)))

    for system in (large, drawn(plan, 0), drawn(plan, 1)):
        run = simulate(system, seed=1, weeks=2, traces=600)
        spans = sum(batch.spans for batch in run.batches())

        assert spans / 600 <= SPANS_AT_MOST


def test_services_are_written_in_several_languages_whose_instrumentation_is_known() -> None:
    spoken = [{service.language for service in system.services} for system in systems() if len(system.services) > 20]

    assert set().union(*spoken) == {"go", "java", "nodejs", "python"}
    assert all(len(languages) >= 3 for languages in spoken)


def test_nothing_is_planted_in_healthy_systems() -> None:
    for seed in range(60):
        system = drawn("healthy", seed)

        assert system.planted["tails"] == []
        assert system.planted["codeploying_groups"] == []
        assert all(len(habit.services) == 1 for habit in system.habits)
        assert max(hops(entry.operation) for entry in system.entries) <= 2


def test_services_of_healthy_systems_keep_to_their_own_tables() -> None:
    for seed in range(60):
        system = drawn("healthy", seed)
        used: dict[tuple[str, str], set[str]] = {}
        for service, step in everything(system):
            if isinstance(step, Query):
                used.setdefault((step.database.address, step.database.namespace), set()).add(service)
                assert system.table_owners[step.collection] == service

        assert all(len(services) == 1 for services in used.values())


def test_planted_groups_are_habits_that_leave_at_least_half_of_the_services_alone() -> None:
    for seed in range(60):
        system = drawn("codeployment", seed)

        groups = [sorted(habit.services) for habit in system.habits if len(habit.services) > 1]
        bound = [name for group in groups for name in group]

        assert groups == system.planted["codeploying_groups"]
        assert len(bound) == len(set(bound)) <= len(system.services) / 2
        assert all(0.7 <= habit.follows <= 1 for habit in system.habits if len(habit.services) > 1)


def test_most_codeployment_systems_have_something_planted() -> None:
    planted = sum(bool(drawn("codeployment", seed).planted["codeploying_groups"]) for seed in range(60))

    assert planted >= 55


def test_planted_foreign_tables_are_used_by_the_named_service_and_no_others_are() -> None:
    for seed in range(60):
        system = drawn("data", seed)
        planted = {(one["service"], one["table"]) for one in system.planted.get("foreign_tables", [])}

        foreign = {
            (service, table)
            for service, step in everything(system)
            if isinstance(step, Query)
            for table in (step.collection, *step.joins)
            if system.table_owners[table] != service
        }

        assert foreign == planted


@pytest.mark.parametrize("plan", ["data", "tangled"])
def test_planted_foreign_tables_are_used_by_their_owner_where_the_others_use_them(plan: str) -> None:
    for seed in range(60):
        system = drawn(plan, seed)
        used = {
            (service, step.database.namespace, step.collection)
            for service, step in everything(system)
            if isinstance(step, Query)
        }

        planted = system.planted.get("foreign_tables", [])

        assert {(one["owner"], one["namespace"], one["table"]) for one in planted} <= used


def test_every_planted_kind_occurs_and_most_systems_of_its_plan_have_it() -> None:
    kinds = {
        "data": {"foreign_tables"},
        "failures": {"outages"},
        "queues": {"sync_over_async", "group_stalls"},
        "structure": {"pass_through", "cycles", "chatter"},
        "scaling": {"own_axes"},
    }

    for plan, expected in kinds.items():
        planted = [{kind for kind in expected if drawn(plan, seed).planted.get(kind)} for seed in range(40)]

        assert set().union(*planted) == expected
        assert sum(bool(found) for found in planted) >= 32


def test_planted_outages_and_stalls_are_incidents_of_what_the_system_has() -> None:
    for seed in range(40):
        failing, queued = drawn("failures", seed), drawn("queues", seed)

        outages = [sorted(one.services) for one in failing.incidents if isinstance(one, Outage)]
        stalls = [one.group for one in queued.incidents if isinstance(one, GroupStall)]

        assert outages == [one["services"] for one in failing.planted.get("outages", [])]
        assert stalls == [one["group"] for one in queued.planted.get("group_stalls", [])]
        assert set(stalls) <= {consumer.group for consumer in queued.consumers}


def test_a_caller_passes_on_the_same_share_of_a_callees_failures_wherever_it_calls_it() -> None:
    for seed in range(20):
        tolerated: dict[tuple[str, str], set[float]] = {}
        for service, step in everything(drawn("failures", seed)):
            if isinstance(step, Call) and step.fallback:
                tolerated.setdefault((service, step.operation.service.name), set()).add(step.tolerated)

        often = [shares for shares in tolerated.values() if shares <= {0.0, 0.5, 0.9, 1.0}]

        assert all(len(shares) == 1 for shares in often)


def test_planted_replies_are_awaited_over_a_queue() -> None:
    for seed in range(40):
        system = drawn("queues", seed)

        awaited = {
            (service, step.topic.destination)
            for service, step in everything(system)
            if isinstance(step, Publish) and step.awaits_reply
        }

        planted = system.planted.get("sync_over_async", [])
        assert awaited == {(one["caller"], one["destination"]) for one in planted}


def test_planted_pass_through_services_make_one_call_and_touch_no_data() -> None:
    for seed in range(40):
        system = drawn("structure", seed)

        for planted in system.planted.get("pass_through", []):
            taken = [step for service, step in everything(system) if service == planted["service"]]
            called = {step.operation.service.name for step in taken if isinstance(step, Call)}

            assert called == {planted["callee"]}
            assert not any(isinstance(step, Query | Publish) for step in taken)


def test_planted_chatter_repeats_a_statement() -> None:
    for seed in range(40):
        system = drawn("structure", seed)

        repeated = {service for service, step in everything(system) if isinstance(step, Repeat)}

        assert repeated == {one["caller"] for one in system.planted.get("chatter", [])}


def test_services_with_an_axis_of_their_own_serve_only_requests_that_follow_it() -> None:
    for seed in range(20):
        system = drawn("scaling", seed)

        for planted in system.planted["own_axes"]:
            island = set(planted["services"])
            axes = {entry.cycle for entry in system.entries if island & visited(entry.operation)}

            assert {
                service.scaling and service.scaling.axis for service in system.services if service.name in island
            } == axes
            assert {axis.peak_hour for axis in axes} == {planted["peak_hour"]}
            assert all(service.scaling is not None for service in system.services)


@pytest.mark.parametrize("seed", range(AIMED_SEEDS))
def test_planted_hops_make_up_about_the_share_of_the_tail_they_were_aimed_at(seed: int) -> None:
    for tail in drawn("tail", seed).planted["tails"]:
        entry = accounted("tail", seed).entry(tail["service"], tail["operation"])

        shares = tail_shares(entry.latency_us, entry.spent_us)
        hop = [(place.caller, place.callee) for place in entry.places].index((tail["caller"], tail["hop"]))

        assert tail["aimed_share"] >= 0.4 - 0.12
        assert shares[hop] == pytest.approx(tail["aimed_share"], abs=0.25)
        assert shares[hop] == shares.max()


def test_about_two_thirds_of_planted_hops_make_the_slowest_requests_several_times_as_slow() -> None:
    tails = [tail for seed in range(2 * AIMED_SEEDS) for tail in drawn("tail", seed).planted["tails"]]

    slowdowns = np.array([tail["aimed_slowdown"] for tail in tails])
    long = slowdowns > 2.4

    assert len(tails) >= 20
    assert 0.45 < long.mean() < 0.85
    assert slowdowns.max() <= 15
    assert np.quantile(slowdowns[long], 0.8) - np.quantile(slowdowns[long], 0.2) > 3
    assert np.median(slowdowns[~long]) < 2
    shares = [tail["aimed_share"] for tail in tails if tail["aimed_slowdown"] > 2.4]
    assert 0.5 < min(shares) < 0.8, "something else has a part in long tails too"


@pytest.mark.parametrize("seed", range(AIMED_SEEDS))
def test_planted_hops_make_the_slowest_requests_about_as_slow_as_they_were_aimed_at(seed: int) -> None:
    for tail in drawn("tail", seed).planted["tails"]:
        latency_us = accounted("tail", seed).entry(tail["service"], tail["operation"]).latency_us

        q40, q60, q99 = np.quantile(latency_us, [0.4, 0.6, 0.99])
        ordinary = latency_us[(latency_us >= q40) & (latency_us < q60)].mean()

        assert latency_us[latency_us >= q99].mean() / ordinary == pytest.approx(tail["aimed_slowdown"], rel=0.35)


def test_plans_that_ask_for_no_long_tails_plant_as_strong_a_cause_as_its_share_needs() -> None:
    tails = [tail for seed in range(AIMED_SEEDS) for tail in drawn("coupled", seed).planted["tails"]]

    assert len(tails) >= 5
    assert np.median([tail["aimed_slowdown"] for tail in tails]) < 2.4


def test_hops_that_were_not_planted_rarely_make_most_of_a_tail_and_never_a_long_one() -> None:
    found = []
    for seed in range(AIMED_SEEDS):
        planted = {(tail["service"], tail["operation"]) for tail in drawn("tail", seed).planted["tails"]}
        for entry in accounted("tail", seed).entries:
            if (entry.service, entry.operation) not in planted and entry.latency_us.size > 2_000:
                long = np.quantile(entry.latency_us, 0.99) / np.median(entry.latency_us)
                found.append((tail_shares(entry.latency_us, entry.spent_us).max(), long))

    shares, lengths = zip(*found, strict=True)

    assert len(found) >= 5
    assert np.median(shares) < 0.4
    assert all(share < 0.6 or long < 2 for share, long in found)
    assert np.median(lengths) < 2


def tail_shares(latency_us: np.ndarray, spent_us: np.ndarray) -> np.ndarray:
    """Share of each place in what the slowest percent of requests take longer than the middle fifth."""
    q40, q60, q99 = np.quantile(latency_us, [0.4, 0.6, 0.99])
    slow, middle = latency_us >= q99, (latency_us >= q40) & (latency_us < q60)
    longer = spent_us[slow].mean(axis=0) - spent_us[middle].mean(axis=0)
    shares: np.ndarray = longer / longer.sum()
    return shares


def test_the_readme_tells_what_was_planted_in_words() -> None:
    system = drawn("coupled", 5)

    for tail in system.planted["tails"]:
        assert f"{tail['service']} `{tail['operation']}`" in system.readme
        assert tail["caller"] in system.readme
    for group in system.planted["codeploying_groups"]:
        assert all(name in system.readme for name in group)


def test_the_runs_seed_draws_the_system_when_it_is_asked_for_by_name() -> None:
    run = simulate("random-coupled", seed=7, weeks=1, traces=10)

    assert run.system == drawn("coupled", 7)
