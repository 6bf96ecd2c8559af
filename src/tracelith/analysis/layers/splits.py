"""Systems cut by layer: services through which nearly every request passes in the same order."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from tracelith.analysis.layers.services import PassingService
from tracelith.analysis.statistics.intervals import proportion
from tracelith.model.findings import Estimate

__all__ = ["LEAST_SHARE", "LayerSplit", "layer_splits"]

LEAST_SHARE = 0.8
"""Share of the requests from outside that pass all layers, by its lower bound (metrics.md §11)."""

LEAST_LAYERS = 3
"""Two that only hand on, and what they hand on to: one alone before a service is a gateway or a proxy (own)."""

NEEDED_TRACES = 200
"""As for a service (metrics.md §19)."""


@dataclass(frozen=True, slots=True)
class LayerSplit:
    """Services from the outermost on; all but the last hand on.

    Attributes:
        entry_share: of the entry operations, those most of whose requests pass all of them. share: of the requests.
        purity: least share of calls that go to the usual operation, over the layers.
    """

    services: tuple[str, ...]
    entry_share: float
    share: Estimate
    purity: float


def layer_splits(services: Sequence[PassingService], entry_calls: pl.DataFrame) -> list[LayerSplit]:
    """Every sequence of layers that most requests pass.

    Args:
        services: from passing_services. entry_calls: merged facts of ENTRY_CALLS.

    Source: metrics.md §11 (technical-layer test). That a chain uses several edges is bounded by how many use each
    (Fréchet 1935), which is exact when nearly all do.
    """
    layers = {one.service: one for one in services if one.label == "pass_through" or one.edge}
    below = {name: one.usual_callee for name, one in layers.items() if one.usual_callee}
    found = []
    for first in sorted(set(below) - set(below.values())):
        names = [first]
        while names[-1] in below and below[names[-1]] not in names:
            names.append(below[names[-1]])
        if len(names) >= LEAST_LAYERS:
            split = _split(tuple(names), min(layers[name].purity for name in names[:-1]), entry_calls)
            if split.share.low is not None and split.share.low >= LEAST_SHARE:
                found.append(split)
    return found


def _split(names: tuple[str, ...], purity: float, entry_calls: pl.DataFrame) -> LayerSplit:
    edges = list(pairwise(names))
    totals: dict[tuple[str, str], int] = {}
    used: dict[tuple[str, str], list[int]] = defaultdict(list)
    for service, operation, caller, callee, traces in entry_calls.iter_rows():
        if not caller:
            totals[service, operation] = traces
        elif (caller, callee) in edges:
            used[service, operation].append(traces)
    passing = {
        entry: max(sum(used[entry]) - (len(edges) - 1) * total, 0) if len(used[entry]) == len(edges) else 0
        for entry, total in totals.items()
    }
    requests = sum(totals.values())
    share = proportion(
        sum(passing.values()),
        requests,
        minimum=NEEDED_TRACES,
        reason=f"{NEEDED_TRACES} complete requests from outside are needed, {requests} came",
    )
    through = sum(passing[entry] > total / 2 for entry, total in totals.items())
    return LayerSplit(names, through / max(len(totals), 1), share, purity)
