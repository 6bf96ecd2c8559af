"""Who calls whom, who waits, and which data are shared: follows from the description of a system alone."""

from collections import defaultdict
from collections.abc import Iterator

from tracelith.evaluate.claims import Truth, edge_subject
from tracelith.evaluate.naming import service_names
from tracelith.simulate import Simulation

__all__ = ["call_truths"]


def call_truths(simulation: Simulation) -> list[Truth]:
    """Edges between services, whether they are awaited, and datastores whose tables several services use."""
    names = service_names(simulation.system)
    modes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for call in simulation.truth["calls"]:
        if call["caller"] != call["callee"] and call["callee"] in names:  # others are outside the system
            modes[names[call["caller"]], names[call["callee"]]].add(call["mode"])
    truths = [truth for edge, found in sorted(modes.items()) for truth in _edge(edge, found)]
    return [*truths, *_datastores(simulation)]


def _edge(edge: tuple[str, str], modes: set[str]) -> Iterator[Truth]:
    """Answers to messages are messages too; where a service both calls and sends, nobody judges how it waits."""
    subject, waits = edge_subject(*edge), modes == {"sync"}
    yield Truth("edge", subject, positive=True)
    if waits or "sync" not in modes:
        yield Truth("sync-edge", subject, positive=waits)
        yield Truth("awaited-share", subject, value=float(waits))


def _datastores(simulation: Simulation) -> Iterator[Truth]:
    """A datastore is shared if a table of it is used by several services; to share a server alone is no coupling."""
    shared = {
        (table["server"], table["namespace"])
        for table in simulation.truth["tables"]
        if len({*table["readers"], *table["writers"]}) > 1
    }
    found: dict[str, bool] = {}
    for store in simulation.truth["datastores"]:
        name = f"{store['system']} {store['namespace']}"
        found[name] = found.get(name, False) or (store["server"], store["namespace"]) in shared
    for name, is_shared in sorted(found.items()):
        yield Truth("shared-datastore", name, positive=is_shared)
