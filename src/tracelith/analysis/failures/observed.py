"""What was seen to fail in the bad time of a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracelith.analysis.failures.spreading import Spread
from tracelith.analysis.statistics.intervals import proportion
from tracelith.model.findings import Estimate, State

__all__ = ["NEVER_SEEN", "Observed", "observed_radius"]

NEVER_SEEN = Estimate(None, state=State.INSUFFICIENT_DATA, reason="it was never in trouble in this period")

FEWEST_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class Observed:
    """Share of requests from outside that failed because of a node in its bad time; with examples."""

    share: Estimate
    trace_ids: tuple[str, ...]


def observed_radius(spreads: Sequence[Spread]) -> Mapping[str, Observed]:
    """By node, all of its bad time together. What failed meanwhile for other reasons is not counted."""
    by_node: dict[str, list[Spread]] = {}
    for spread in spreads:
        by_node.setdefault(spread.stretch.node, []).append(spread)
    return {node: _observed(found) for node, found in by_node.items()}


def _observed(found: Sequence[Spread]) -> Observed:
    failed, asked = sum(spread.failed for spread in found), sum(spread.requests for spread in found)
    worst = max(found, key=lambda spread: spread.failed)
    reason = f"{FEWEST_REQUESTS} requests from outside while it was in trouble are needed, {asked} came"
    return Observed(proportion(failed, asked, minimum=FEWEST_REQUESTS, reason=reason), worst.trace_ids)
