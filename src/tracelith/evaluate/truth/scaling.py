"""Which services answer to one load: from who causes whose requests, and the hours of the entries they come from."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from tracelith.evaluate.claims import Case, Truth, pair_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.steps import Taken, requests_by_entry, steps_taken
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Call

__all__ = ["scaling_truths"]

FEWEST_REQUESTS = 2_000.0
"""Of a service in the whole run: fewer leave too few in an hour to compare hours by."""
CAUSED, HARDLY_CAUSED = 0.98, 0.6
"""Share of a service's requests that another one causes: all but stray ones, and so few that it has a load of its own;
the line is drawn at .95."""
OTHER_HOURS, SAME_HOURS = 0.9, 0.1
"""Share of a service's requests from entries that are busy when the others are not."""

Loads = Mapping[str, Mapping[int, float]]


def scaling_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Pairs of services with enough requests that could be compared."""
    steps, requests = steps_taken(simulation.system), requests_by_entry(simulation)
    loads, caused = _loads(simulation, steps, requests)
    busy = [name for name in sorted(loads) if sum(loads[name].values()) * case.sampling >= FEWEST_REQUESTS]
    return list(_pairs(simulation, busy, loads, caused))


def _loads(
    simulation: Simulation, steps: Sequence[Taken], requests: Sequence[int]
) -> tuple[Loads, Mapping[tuple[str, str], float]]:
    """Requests of each service by the entry they come from, and how many of them each service above causes."""
    loads: defaultdict[str, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    caused: defaultdict[tuple[str, str], float] = defaultdict(float)
    for number, entry in enumerate(simulation.system.entries):
        loads[entry.operation.service.name][number] += requests[number]
    for taken in steps:
        if isinstance(taken.step, Call):
            callee = taken.step.operation.service.name
            times = taken.mean * requests[taken.where.entry]
            loads[callee][taken.where.entry] += times
            for above in set(taken.where.path) - {callee}:
                caused[above, callee] += times
    return loads, caused


def _pairs(
    simulation: Simulation, busy: Sequence[str], loads: Loads, caused: Mapping[tuple[str, str], float]
) -> Iterator[Truth]:
    names = service_names(simulation.system)
    cycles = [entry.cycle for entry in simulation.system.entries]
    for a, b in combinations(busy, 2):
        subject = pair_subject(names[a], names[b])
        other_hours = max(_elsewhere(loads[a], loads[b], cycles), _elsewhere(loads[b], loads[a], cycles))
        shares = [caused.get(pair, 0.0) / sum(loads[pair[1]].values()) for pair in ((a, b), (b, a))]
        same = True if max(shares) >= CAUSED else False if max(shares) <= HARDLY_CAUSED else None
        if other_hours >= OTHER_HOURS:
            same = False
        yield Truth("same-axis", subject, same, max(shares))
        own = True if other_hours >= OTHER_HOURS else False if other_hours <= SAME_HOURS else None
        yield Truth("own-axis", subject, own, other_hours)


def _elsewhere(load: Mapping[int, float], other: Mapping[int, float], cycles: Sequence[object]) -> float:
    """Share of the load that comes at hours of which the other one has nothing."""
    hours = {cycles[entry] for entry, times in other.items() if times > 0}
    return sum(times for entry, times in load.items() if cycles[entry] not in hours) / sum(load.values())
