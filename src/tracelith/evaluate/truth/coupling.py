"""Pairs that are bound without a call between them: by their deployments, or by tables that one writes and both use."""

from itertools import combinations

from tracelith.evaluate.claims import Case, Truth, pair_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.data import FEWEST_USES, table_uses
from tracelith.evaluate.truth.deployments import BOUND, FEWEST_DEPLOYMENTS, bonds
from tracelith.evaluate.truth.steps import requests_by_entry, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.incidents import Outage

__all__ = ["coupling_truths"]

MUCH_OF_IT = 0.2
"""Share of a pair's uses of shared, written tables among all of their uses, from which their data are surely one."""


def coupling_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Every pair: hidden if something surely binds it and no call does; not if nothing does, or if they call."""
    names = service_names(simulation.system)
    deployed, enough = bonds(simulation), _enough_deployments(simulation)
    shared, touched = _data(case, simulation)
    failing, seen = _failing_together(simulation), _seen(simulation)
    linked = {
        tuple(sorted((names[call["caller"]], names[call["callee"]])))
        for call in simulation.truth["calls"]
        if call["callee"] in names
    }
    found = []
    for a, b in combinations(sorted(names.values()), 2):
        pair = (a, b)
        surely = (deployed.get(pair, 0.0) >= BOUND and pair in enough) or shared.get(pair, 0.0) >= MUCH_OF_IT
        perhaps = pair in deployed or pair in touched or pair in failing
        positive = False if pair in linked else True if surely else None if perhaps else False
        if not seen.issuperset(pair):
            positive = None  # who sends no spans may call anybody
        found.append(Truth("hidden-coupling", pair_subject(a, b), positive))
    return found


def _seen(simulation: Simulation) -> set[str]:
    """Services that any request reaches."""
    names, requests = service_names(simulation.system), requests_by_entry(simulation)
    taken = steps_taken(simulation.system)
    return {names[one.where.service] for one in taken if one.mean * requests[one.where.entry] >= 1}


def _enough_deployments(simulation: Simulation) -> set[tuple[str, str]]:
    """Pairs both of which are deployed often enough."""
    names = service_names(simulation.system)
    counts = simulation.truth["deployments"]["count"]
    often = sorted(names[name] for name, count in counts.items() if count >= 2 * FEWEST_DEPLOYMENTS)
    return set(combinations(often, 2))


def _data(case: Case, simulation: Simulation) -> tuple[dict[tuple[str, str], float], set[tuple[str, str]]]:
    """How much of what two services do with their data is done in common tables, and who shares any table at all."""
    tables = table_uses(simulation, steps_taken(simulation.system))
    users = sorted({user for use in tables.values() for user in use.users})
    shares, touched = {}, set()
    for pair in combinations(users, 2):
        least = most = 0.0
        for use in tables.values():
            times = [use.reads.get(name, 0.0) + use.writes.get(name, 0.0) for name in pair]
            if min(times) > 0:
                touched.add(pair)
            if use.writes.keys() & set(pair):
                least += min(times)
                most += max(times)
        if most and least * case.sampling >= FEWEST_USES:
            shares[pair] = least / most
    return shares, touched


def _failing_together(simulation: Simulation) -> set[tuple[str, str]]:
    """Pairs that any outage may bind: whoever fails, and whoever goes along."""
    names = service_names(simulation.system)
    if any(isinstance(happens.incident, Outage) for happens in simulation.occurrences):
        return set(combinations(sorted(names.values()), 2))
    return set()
