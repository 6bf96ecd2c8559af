"""How failures travel: from the description of a system and the outages of a run, see fate.py.

What is true of an edge or a service is what its description says; whether it is asked depends on how many failures a
run like this can be expected to show. Causes that fail caller and callee alike blur what one does to the other: such
edges have no number, and are not judged where they would look harder than they are.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tracelith.evaluate.claims import Case, Truth, edge_subject, entry_subject, pair_subject
from tracelith.evaluate.naming import service_names
from tracelith.evaluate.truth.fate import EdgeFate, EntryFate, entry_fates
from tracelith.evaluate.truth.steps import requests_by_entry, requests_within
from tracelith.evaluate.truth.waiting import waiting_truths
from tracelith.simulate import Simulation
from tracelith.simulate.flow import Operation
from tracelith.simulate.incidents import Outage, TableLock

__all__ = ["failure_truths"]

FEWEST_FAILURES, FEWEST_CALLS = 30.0, 300.0
"""Of an edge, in the whole run. A class of dependency needs ten failures and a hundred successes."""
HARD, NOT_HARD = 0.75, 0.55
"""Shares of passed-on failures from which a dependency is hard, and up to which it is not; the line is drawn at .6."""
BLURRED, MISLEADING = 0.03, 0.3
"""Shares of failures of which the caller would have failed anyway: the number is no longer that of the edge alone; the
edge may look hard."""
FEWEST_AT_ONCE, HARDLY_ANY = 30.0, 1.0
"""Failures in one occurrence that nobody could overlook, and so few that there is nothing to be seen."""
WHOLE_SYSTEM = 6
"""So many services in one outage stand on something that was out; who of them fails together is not told pairwise."""
STORM, CALM = 2.2, 1.2
"""Attempts per call in an outage, over all layers, that multiply the load, and that do not."""
FEWEST_REQUESTS = 300
"""Of an entry operation, for its availability."""


@dataclass(frozen=True, slots=True)
class _Episode:
    """One outage, each time it happens. requests: per entry. fates: per entry."""

    outage: Outage
    requests: tuple[int, ...]
    fates: Sequence[EntryFate]

    def edges(self) -> dict[tuple[str, str], EdgeFate]:
        """What happens on every edge meanwhile, in calls and not in shares."""
        return _summed([(number, fate) for number, fate in zip(self.requests, self.fates, strict=True)])


def failure_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Dependencies, cascades, retries, radii, availability, errors that nobody sees, and who waits without end."""
    ordinary, episodes = entry_fates(simulation.system, {}), _episodes(simulation)
    found = [
        *_dependencies(simulation, ordinary, episodes, case.sampling),
        *_cascades(simulation, episodes),
        *_together(simulation, episodes),
        *_storms(simulation, episodes),
        *_radii(simulation, ordinary),
        *waiting_truths(simulation, case.sampling),
    ]
    if not any(isinstance(happens.incident, TableLock) for happens in simulation.occurrences):
        found += _outcomes(simulation, ordinary, episodes)
    return found


def _episodes(simulation: Simulation) -> list[_Episode]:
    found = []
    for happens in simulation.occurrences:
        outage = happens.incident
        if isinstance(outage, Outage):
            fates = entry_fates(simulation.system, dict.fromkeys(outage.services, outage.share))
            for start_us in happens.starts_us.tolist():
                requests = requests_within(simulation, (start_us, start_us + happens.length_us))
                found.append(_Episode(outage, tuple(requests), fates))
    return found


def _summed(parts: Sequence[tuple[float, EntryFate]]) -> dict[tuple[str, str], EdgeFate]:
    """Edges of several fates, each for so many requests."""
    total: defaultdict[tuple[str, str], EdgeFate] = defaultdict(EdgeFate)
    for requests, fate in parts:
        for pair, edge in fate.edges.items():
            sums = total[pair]
            sums.calls += requests * edge.calls
            sums.failures += requests * edge.failures
            sums.passed_on += requests * edge.passed_on
            sums.anyway += requests * edge.anyway
            sums.again += requests * edge.again
            sums.attempts = max(sums.attempts, edge.attempts)
    return {pair: edge for pair, edge in total.items() if pair[0] != pair[1]}


def _quiet(simulation: Simulation, episodes: Sequence[_Episode]) -> list[int]:
    """Requests of each entry outside all outages."""
    during = [sum(numbers) for numbers in zip(*(one.requests for one in episodes), strict=True)]
    every = requests_by_entry(simulation)
    return [max(0, number - out) for number, out in zip(every, during or [0] * len(every), strict=True)]


def _dependencies(
    simulation: Simulation, ordinary: Sequence[EntryFate], episodes: Sequence[_Episode], sampling: float
) -> Iterator[Truth]:
    names = service_names(simulation.system)
    parts = [part for one in episodes for part in zip(one.requests, one.fates, strict=True)]
    edges = _summed([*parts, *zip(_quiet(simulation, episodes), ordinary, strict=True)])
    for (caller, callee), edge in sorted(edges.items()):
        if edge.failures * sampling < FEWEST_FAILURES or (edge.calls - edge.failures) * sampling < FEWEST_CALLS:
            continue
        subject, power = edge_subject(names[caller], names[callee]), edge.passed_on / edge.failures
        anyway = edge.anyway / edge.failures
        positive = True if power >= HARD else False if power <= NOT_HARD and anyway <= MISLEADING else None
        yield Truth("hard-dependency", subject, positive, power)
        if anyway <= BLURRED:
            yield Truth("propagation-power", subject, value=power)


def _cascades(simulation: Simulation, episodes: Sequence[_Episode]) -> Iterator[Truth]:
    """Who fails by itself is the origin, if callers go along; of several that fail at once each may be or not."""
    names = service_names(simulation.system)
    worst: dict[str, float | None] = {}
    for one in episodes:
        edges = one.edges()
        for origin in one.outage.services:
            lost = sum(edge.passed_on for (_, callee), edge in edges.items() if callee == origin)
            before = worst.get(origin, 0.0)
            worst[origin] = None if len(one.outage.services) > 1 or before is None else max(before, lost)
    unclear = _behind_locks(simulation)
    for name in names:
        lost_most = worst.get(name, 0.0)
        positive = None
        if lost_most is not None and name not in unclear:
            positive = True if lost_most >= FEWEST_AT_ONCE else False if lost_most < HARDLY_ANY else None
        yield Truth("failure-cascade", names[name], positive, lost_most)
    for store in simulation.truth["datastores"]:
        if unclear:  # a lock fails statements: whether the datastore or the service is named is a matter of taste
            yield Truth("failure-cascade", f"{store['system']} {store['namespace']}")


def _behind_locks(simulation: Simulation) -> set[str]:
    """Services that use a table which gets locked; they and whoever is near fail for a reason of another kind."""
    locked = {lock.incident.collection for lock in simulation.occurrences if isinstance(lock.incident, TableLock)}
    tables = (table for table in simulation.truth["tables"] if table["table"] in locked)
    return {user for table in tables for user in (*table["readers"], *table["writers"])}


def _together(simulation: Simulation, episodes: Sequence[_Episode]) -> Iterator[Truth]:
    """Two that fail in one outage are bound by its cause; who is drawn along by the same failure may be told or not."""
    names = service_names(simulation.system)
    positive: dict[tuple[str, str], bool | None] = dict.fromkeys(combinations(sorted(names), 2), False)
    if locked := _behind_locks(simulation):
        positive.update(dict.fromkeys(_pairs({*locked, *names}), None))
    for one in episodes:
        failures = _failures(simulation, one)
        positive.update(dict.fromkeys(_pairs({name for name, count in failures.items() if count >= HARDLY_ANY}), None))
    for one in episodes:
        failures = _failures(simulation, one)
        if 1 < len(one.outage.services) <= WHOLE_SYSTEM:
            for pair in _pairs(set(one.outage.services)):
                if all(failures[name] >= FEWEST_AT_ONCE for name in pair):
                    positive[pair] = True
    for (a, b), so in positive.items():
        yield Truth("failing-together", pair_subject(names[a], names[b]), so)


def _pairs(services: set[str]) -> list[tuple[str, str]]:
    return list(combinations(sorted(services), 2))


def _failures(simulation: Simulation, episode: _Episode) -> Mapping[str, float]:
    """Failed requests of each service meanwhile: its own, and those that callees fail."""
    found: defaultdict[str, float] = defaultdict(float)
    for number, entry, fate in zip(episode.requests, simulation.system.entries, episode.fates, strict=True):
        found[entry.operation.service.name] += number * fate.failed
    for (caller, callee), edge in episode.edges().items():
        found[callee] += edge.failures
        found[caller] += edge.passed_on
    return found


def _storms(simulation: Simulation, episodes: Sequence[_Episode]) -> Iterator[Truth]:
    """Calls multiply where attempts of several layers do, or one layer tries often."""
    names = service_names(simulation.system)
    worst: defaultdict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    seldom = set()
    for one in episodes:
        edges = one.edges()
        seldom |= {pair for pair, edge in edges.items() if edge.attempts > 1 and edge.failures >= HARDLY_ANY}
        tried = {pair: _attempts(edge) for pair, edge in edges.items() if edge.failures >= FEWEST_AT_ONCE}
        for pair in edges:
            above = max((times for other, times in tried.items() if other[1] == pair[0]), default=1.0)
            below = max((times for other, times in tried.items() if other[0] == pair[1]), default=1.0)
            own = tried.get(pair, 1.0)
            stacked = max(own * above, own * below) if own > CALM else own
            worst[pair] = max(worst[pair], stacked)
    for (caller, callee), times in sorted(worst.items()):
        positive = True if times >= STORM else False if times <= CALM and (caller, callee) not in seldom else None
        yield Truth("retry-storm", edge_subject(names[caller], names[callee]), positive, times)


def _attempts(edge: EdgeFate) -> float:
    """Mean attempts of a call; operations may try differently often."""
    return 1 + edge.again / edge.calls


def _radii(simulation: Simulation, ordinary: Sequence[EntryFate]) -> Iterator[Truth]:
    """Of services that others wait for: an entry's own service fails its requests by definition."""
    system, names = simulation.system, service_names(simulation.system)
    requests = [
        number if isinstance(entry.operation, Operation) else 0
        for number, entry in zip(requests_by_entry(simulation), system.entries, strict=True)
    ]
    first = {entry.operation.service.name for entry in system.entries}
    for name in names:
        if name not in first:
            failing = entry_fates(system, {name: 1.0})
            more = [
                number * (fate.failed - usual.failed) / (1 - usual.failed)
                for number, fate, usual in zip(requests, failing, ordinary, strict=True)
            ]
            yield Truth("blast-radius", names[name], value=sum(more) / max(sum(requests), 1))


def _outcomes(simulation: Simulation, ordinary: Sequence[EntryFate], episodes: Sequence[_Episode]) -> Iterator[Truth]:
    names, quiet = service_names(simulation.system), _quiet(simulation, episodes)
    for place, entry in enumerate(simulation.system.entries):
        parts = [(quiet[place], ordinary[place]), *((one.requests[place], one.fates[place]) for one in episodes)]
        requests = sum(number for number, _ in parts)
        if requests < FEWEST_REQUESTS or not isinstance(entry.operation, Operation):
            continue
        failed = sum(number * fate.failed for number, fate in parts)
        stained = sum(number * fate.stained for number, fate in parts)
        subject = entry_subject(names[entry.operation.service.name], entry.operation.name)
        yield Truth("availability", subject, value=1 - failed / requests)
        yield Truth("hidden-errors", subject, value=stained / max(requests - failed, 1.0))
