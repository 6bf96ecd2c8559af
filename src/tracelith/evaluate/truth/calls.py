"""Who calls whom, who waits, and which data are shared: follows from the description of a system alone."""

from collections import defaultdict
from collections.abc import Iterator

from tracelith.evaluate.claims import Truth, edge_subject
from tracelith.simulate import Simulation

__all__ = ["call_truths"]


def call_truths(simulation: Simulation) -> list[Truth]:
    """Edges between services, whether they are awaited, and datastores whose tables several services use."""
    modes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for call in simulation.truth["calls"]:
        modes[call["caller"], call["callee"]].add(call["mode"])
    services = set(simulation.truth["services"])
    inside = {edge: found for edge, found in modes.items() if services.issuperset(edge)}
    truths = [truth for edge, found in sorted(inside.items()) for truth in _edge(edge, found)]
    return [*truths, *_datastores(simulation)]


def _edge(edge: tuple[str, str], modes: set[str]) -> Iterator[Truth]:
    subject = edge_subject(*edge)
    yield Truth("edge", subject, positive=True)
    if len(modes) == 1:
        yield Truth("sync-edge", subject, positive=modes == {"sync"})
        yield Truth("awaited-share", subject, value=float(modes == {"sync"}))


def _datastores(simulation: Simulation) -> Iterator[Truth]:
    """A datastore is shared if a table of it is used by several services; to share a server alone is no coupling."""
    users: defaultdict[str, list[set[str]]] = defaultdict(list)
    for table in simulation.truth["tables"]:
        name = f"{table.get('system', 'postgresql')} {table['namespace']}"
        users[name].append({*table["readers"], *table["writers"]})
    for name, tables in sorted(users.items()):
        yield Truth("shared-datastore", name, positive=any(len(services) > 1 for services in tables))
