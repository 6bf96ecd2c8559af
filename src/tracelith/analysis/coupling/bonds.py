"""How surely two services are bound by deployments, failures, data and load, as the analyses of each found it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tracelith.analysis.coupling.links import Pair, pair_of
from tracelith.model.findings import State

__all__ = ["FAMILIES", "SURE_OVERLAP", "Bonds", "bonds_of"]

FAMILIES = ("deploy", "failure", "data", "scale")

SURE_OVERLAP = 0.01
"""Lower bound of the overlap of two services' data from which on they share some: less is a table read once."""

LEAST_EVENTS = 2
"""Stretches of failure that two services need to be bound by them: one that both had is an incident, no habit (own)."""

TESTED_DEPLOYMENTS = 5
"""Of each service, as the test of pairs needs (metrics.md §19)."""


@dataclass(frozen=True, slots=True)
class Bonds:
    """Strength of each bond, by family and pair: lower bounds from 0 to 1.

    Attributes:
        strength: of pairs that could be told; 0 where nothing binds them.
        deployed: services with enough deployments to be tested with others.
        thorough: those that were tested with all others of them, and whose unlisted pairs were found free.
        tested: pairs whose deployments were tested, listed or not.
        tables: names of shared tables, by pair.
    """

    strength: Mapping[str, Mapping[Pair, float]]
    deployed: frozenset[str] = frozenset()
    thorough: frozenset[str] = frozenset()
    tested: int = 0
    tables: Mapping[Pair, list[str]] = field(default_factory=dict)

    def of(self, family: str, pair: Pair) -> float | None:
        """How surely; None if it could not be told."""
        known = self.strength[family].get(pair)
        if known is None and family == "deploy":
            # The document lists the strongest pairs. Another one was tested if one of the two was with everybody.
            free = self.deployed.issuperset(pair) and not self.thorough.isdisjoint(pair)
            return 0.0 if free else None
        return known

    def told(self, family: str) -> int:
        """Pairs of which it could be told."""
        listed = len(self.strength[family])
        return max(listed, self.tested) if family == "deploy" else listed

    def bound(self, pair: Pair) -> list[str]:
        """Families that surely bind the two."""
        return [family for family in FAMILIES if (self.of(family, pair) or 0.0) > 0]


def bonds_of(concluded: Mapping[str, Any]) -> Bonds:
    """All bonds that the parts tell of; parts that are missing tell of none."""
    codeployment = concluded.get("codeployment", {})
    data = list(concluded.get("datastores", {}).get("pairs", ()))
    strength = {
        "deploy": dict(_deploy(codeployment)),
        "failure": dict(_failure(concluded.get("failures", {}))),
        "data": dict(_data(data)),
        "scale": dict(_scale(concluded.get("scaling", {}))),
    }
    deployed, thorough = _tested_services(codeployment)
    tested = codeployment.get("system", {}).get("pairs", {}).get("tested", 0)
    tables = {pair_of(row["a"], row["b"]): list(row["tables"]) for row in data}
    return Bonds(strength, deployed, thorough, tested, tables)


def _tested_services(codeployment: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Services that could be tested with others, and those that were with all of them."""
    pairs = codeployment.get("system", {}).get("pairs", {})
    deployed = {
        row["service"]: row.get("tested_with", 0)
        for row in codeployment.get("services", ())
        if row["deployments"] >= TESTED_DEPLOYMENTS
    }
    if pairs.get("coupled", 0) > pairs.get("listed", 0):
        # Not even all coupled pairs are listed: nothing can be said of the others.
        return frozenset(deployed), frozenset()
    everybody = len(deployed) - 1
    return frozenset(deployed), frozenset(name for name, others in deployed.items() if others >= everybody)


def _deploy(codeployment: Mapping[str, Any]) -> Iterator[tuple[Pair, float]]:
    for row in codeployment.get("pairs", ()):
        if row["label"] != "untested":
            coupled = row["label"] in ("pair", "group")
            yield pair_of(row["a"], row["b"]), max(row["excess_low"] or 0.0, 1e-6) if coupled else 0.0


def _failure(failures: Mapping[str, Any]) -> Iterator[tuple[Pair, float]]:
    for row in failures.get("pairs", ()):
        if row["coupled"] and row["overlap"]["n_eff"] < LEAST_EVENTS:
            continue
        if row["q_value"] is not None or row["coupled"]:
            yield pair_of(row["a"], row["b"]), _low(row["overlap"]) if row["coupled"] else 0.0


def _data(rows: list[Mapping[str, Any]]) -> Iterator[tuple[Pair, float]]:
    for row in rows:
        if row["overlap"]["status"] == State.OK:
            low = _low(row["overlap"])
            yield pair_of(row["a"], row["b"]), low if row["written"] and low >= SURE_OVERLAP else 0.0


def _scale(scaling: Mapping[str, Any]) -> Iterator[tuple[Pair, float]]:
    for row in scaling.get("pairs", ()):
        if row["label"] == "same_axis":
            yield pair_of(row["a"], row["b"]), max(_low(row["dominance"]), row["r_squared"] or 0.0)
        elif row["label"] in ("own_axis", "unclear"):
            yield pair_of(row["a"], row["b"]), 0.0


def _low(estimate: Mapping[str, Any]) -> float:
    ci = estimate["ci"]
    return float(ci[0]) if ci else float(estimate["value"] or 0.0)
