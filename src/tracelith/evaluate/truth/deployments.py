"""Which services are bound together, and how often deployments coincide: from habits and many years of releases.

The true rate of a coincidence is that of REFERENCE_RUNS further runs of the same system. What would coincide anyway is
that of the same runs with every bond cut: each service is deployed as often as before, waits for the same departures of
the same trains, and takes nobody along. Lockstep is measured against the same deployments at random moments of working
time.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tracelith.evaluate.claims import Case, Truth, pair_subject
from tracelith.evaluate.naming import service_names
from tracelith.simulate import Simulation
from tracelith.simulate.release_calendar import EPOCH_MONDAY_US, FIRST_HOUR, HOUR_US, LAST_HOUR, WORKING_DAYS
from tracelith.simulate.rollouts import draw_rollouts
from tracelith.simulate.topology import System
from tracelith.simulate.traffic import DAY_US, WEEK_US

__all__ = ["BOUND", "FEWEST_DEPLOYMENTS", "bonds", "deployment_truths", "directed_subject"]

REFERENCE_RUNS = 24
REFERENCE = 7_919
"""Names the random streams of reference runs."""
OTHER_PAIRS = 60
"""Pairs that nothing binds whose rates are compared too."""
WINDOW_US = 30 * 60 * 1_000_000
"""Half width of a coincidence, as the metrics define it."""
BOUND, APART = 0.5, 0.0
"""A pair is planted if one of the two takes the other along this often; rarer planted company is judged by nobody."""
FEWEST_DEPLOYMENTS = 5
LOCKSTEP, FREE = 0.4, 0.2
"""True lockstep excess from which a system moves together, and below which it does not; between them nobody judges."""

Times = dict[str, list[NDArray[np.int64]]]
Bonds = dict[tuple[str, str], float]


def directed_subject(service: str, given: str) -> str:
    """Share of the deployments of ``service`` that lie near one of ``given``."""
    return f"{service} with {given}"


def deployment_truths(_case: Case, simulation: Simulation) -> list[Truth]:
    """Pairs, their rates and excesses, and the lockstep of the whole system."""
    names, counts = service_names(simulation.system), simulation.truth["deployments"]["count"]
    services = sorted(names[name] for name, count in counts.items() if count >= FEWEST_DEPLOYMENTS)
    bound = bonds(simulation)
    runs = _reference(simulation, simulation.system)
    unbound = _reference(simulation, _unbound(simulation.system)) if bound else {}
    truths: list[Truth] = list(_pairs(bound, services))
    for a, b in _measured_pairs(bound, services, simulation.seed):
        cut = unbound if (a, b) in bound else None  # where nothing binds, whether a pair is claimed says all
        truths += [*_rate(runs, cut, a, b), *_rate(runs, cut, b, a)]
    return [*truths, *_lockstep(simulation, runs)]


def _pairs(bound: Bonds, services: list[str]) -> Iterator[Truth]:
    for pair in combinations(services, 2):
        company = bound.get(pair, 0.0)
        positive = True if company >= BOUND else False if company <= APART else None
        yield Truth("codeployment-pair", pair_subject(*pair), positive=positive, value=company)


def _measured_pairs(bound: Bonds, services: list[str], seed: int) -> list[tuple[str, str]]:
    """All pairs that are bound, and others at random: the thousands of a large system would tell nothing new."""
    pairs = list(combinations(services, 2))
    others = [pair for pair in pairs if pair not in bound]
    drawn = np.random.default_rng(seed).permutation(len(others))[:OTHER_PAIRS]
    return sorted({*(pair for pair in pairs if pair in bound), *(others[place] for place in drawn)})


def bonds(simulation: Simulation) -> Bonds:
    """Pairs that habits or a monorepo bind, with the share of deployments that one of them takes the other along."""
    names = service_names(simulation.system)
    found = {}
    for pair in simulation.truth["deployments"]["bound"]:
        a, b = sorted(names[name] for name in pair["services"])
        found[a, b] = max(pair["share_of_a"], pair["share_of_b"])
    return found


def _unbound(system: System) -> System:
    """The system with the same deployments of each service, none of which takes another one along."""
    habits = [
        replace(habit, services=(name,), per_week=habit.per_week * (habit.follows if place else 1.0))
        for habit in system.habits
        for place, name in enumerate(habit.services)
    ]
    apart = tuple(monorepo for monorepo in system.monorepos if not monorepo.all_at_once)
    return replace(system, habits=tuple(habits), monorepos=apart)


def _reference(simulation: Simulation, system: System) -> Times:
    """Deployment times of each service in further runs of the system over the same period."""
    names = service_names(system)
    times: Times = {name: [] for name in names.values()}
    start_us, end_us = simulation.period_us
    for number in range(REFERENCE_RUNS):
        run = draw_rollouts(system, np.random.default_rng([simulation.seed, REFERENCE, number]), start_us, end_us)
        for service, generations in run.items():
            times[names[service]].append(np.sort([row.at_us for row in generations.deployments]).astype(np.int64))
    return times


def _near(times: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool, one per time: one of the others (sorted) lies within the window."""
    found: NDArray[np.bool_] = np.searchsorted(others, times - WINDOW_US) < np.searchsorted(
        others, times + WINDOW_US, side="right"
    )
    return found


def _rate(runs: Times, unbound: Times | None, service: str, given: str) -> Iterator[Truth]:
    rate = _coincidence(runs[service], runs[given])
    if rate is None:
        return
    subject = directed_subject(service, given)
    yield Truth("codeployment-rate", subject, value=rate)
    base = _coincidence(unbound[service], unbound[given]) if unbound is not None else None
    if base is not None and base < 1:
        yield Truth("codeployment-excess", subject, value=(rate - base) / (1 - base))


def _coincidence(of: list[NDArray[np.int64]], given: list[NDArray[np.int64]]) -> float | None:
    """Share of deployments with one of the given service nearby, over all runs."""
    trials = sum(own.size for own in of)
    hits = sum(int(_near(own, others).sum()) for own, others in zip(of, given, strict=True))
    return hits / trials if trials else None


def _lockstep(simulation: Simulation, runs: Times) -> Iterator[Truth]:
    solo = _solo_rate(runs)
    free = _solo_rate(_at_random_moments(simulation, runs))
    if solo is None or not free:
        return
    excess = 1 - solo / free
    positive = True if excess >= LOCKSTEP else False if excess < FREE else None
    yield Truth("solo-rate", "system", value=solo)
    yield Truth("lockstep-excess", "system", value=excess)
    yield Truth("lockstep", "system", positive=positive, value=excess)


def _at_random_moments(simulation: Simulation, runs: Times) -> Times:
    """As many deployments of each service in each run, each at a moment of working time that depends on no other."""
    rng = np.random.default_rng([simulation.seed, REFERENCE])
    start_us, end_us = simulation.period_us
    days_us = np.arange(start_us // DAY_US, end_us // DAY_US) * DAY_US
    days_us = days_us[(days_us - EPOCH_MONDAY_US) % WEEK_US < WORKING_DAYS * DAY_US]
    hours_us = (FIRST_HOUR * HOUR_US, LAST_HOUR * HOUR_US)

    def drawn(count: int) -> NDArray[np.int64]:
        moments: NDArray[np.int64] = rng.choice(days_us, count) + rng.integers(*hours_us, count)
        return np.sort(moments)

    return {name: [drawn(own.size) for own in moments] for name, moments in runs.items()}


def _solo_rate(runs: Times) -> float | None:
    """Mean over services of the share of their deployments with no other service nearby; None with fewer than two."""
    active = [name for name, moments in runs.items() if sum(part.size for part in moments)]
    if len(active) < 2:
        return None
    alone, number = np.zeros(len(active)), np.zeros(len(active))
    for run in range(REFERENCE_RUNS):
        everything = np.sort(np.concatenate([runs[name][run] for name in active]))
        for place, name in enumerate(active):
            own = runs[name][run]
            alone[place] += int((_within(everything, own) == _within(own, own)).sum())
            number[place] += own.size
    return float(np.mean(alone / number))


def _within(times: NDArray[np.int64], around: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the sorted times lie within the window around each moment."""
    return np.searchsorted(times, around + WINDOW_US, side="right") - np.searchsorted(times, around - WINDOW_US)
