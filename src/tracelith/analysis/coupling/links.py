"""Who is linked to whom by calls and messages, directly or through others, from the parts of the document."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

__all__ = ["Links", "Pair", "links_of", "pair_of"]

Pair = tuple[str, str]
"""Two services in the order of their names."""


def pair_of(a: str, b: str) -> Pair:
    """The pair, whichever comes first."""
    return (a, b) if a < b else (b, a)


@dataclass(frozen=True, slots=True)
class Links:
    """Links between services.

    Attributes:
        calls, messages: how many, either way, by pair.
        below: whom each service calls or sends messages to: services, datastores, queues and outside systems.
    """

    calls: Mapping[Pair, int]
    messages: Mapping[Pair, int]
    below: Mapping[str, Collection[str]]

    def number(self, pair: Pair) -> int:
        """Calls and messages between the two."""
        return self.calls.get(pair, 0) + self.messages.get(pair, 0)

    def kind(self, pair: Pair) -> str:
        """calls, messages or none."""
        return "calls" if pair in self.calls else "messages" if pair in self.messages else "none"

    def shared(self, pair: Pair) -> str | None:
        """What both depend on, by any path: one of the two if it calls the other through others, or a third."""
        a, b = (self._depends_on(service) for service in pair)
        common = sorted(a & b)
        return next((name for name in pair if name in common), common[0] if common else None)

    def between(self, pair: Pair) -> list[str]:
        """Services that are linked to both directly: they call both, or one calls them and they call the other."""
        a, b = (self._neighbours(service) for service in pair)
        return sorted(a & b)

    def chain(self, pair: Pair) -> tuple[str, str, str] | None:
        """Caller, service between and callee, where the one of them calls the other through a third."""
        for caller, callee in (pair, pair[::-1]):
            for middle in self.between(pair):
                if middle in self.below.get(caller, ()) and callee in self.below.get(middle, ()):
                    return caller, middle, callee
        return None

    def _neighbours(self, service: str) -> set[str]:
        pairs = (pair for pair in (*self.calls, *self.messages) if service in pair)
        return {other for pair in pairs for other in pair if other != service}

    def _depends_on(self, service: str) -> set[str]:
        found, pending = {service}, [service]
        while pending:
            fresh = set(self.below.get(pending.pop(), ())) - found
            found |= fresh
            pending += sorted(fresh)
        return found


def links_of(concluded: Mapping[str, Any]) -> Links:
    """Links from edges, and from queues whose consumers begin traces of their own."""
    calls, messages = defaultdict[Pair, int](int), defaultdict[Pair, int](int)
    below: dict[str, set[str]] = defaultdict(set)
    for edge in concluded.get("edges", ()):
        caller, callee = edge["caller"], edge["callee"]
        below[caller].add(callee if edge["callee_kind"] == "service" else f"{edge['callee_kind']} {callee}")
        if edge["callee_kind"] == "service" and caller != callee:
            (messages if edge["mode"] == "async" else calls)[pair_of(caller, callee)] += edge["calls"]
    for destination in concluded.get("queues", {}).get("destinations", ()):
        for producer, consumer in product(destination["producers"], destination["consumers"]):
            pair = pair_of(producer, consumer["service"])
            if producer != consumer["service"] and pair not in messages:
                messages[pair] += consumer["messages"]
    return Links(calls, messages, below)
