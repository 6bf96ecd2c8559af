"""What is true of a system's deployments: how many, by what habits, and which services are bound together."""

from collections import Counter, defaultdict
from dataclasses import asdict
from itertools import combinations
from typing import Any

from tracelith.simulate.rollouts import Deployment, DeploymentKind, Fleet
from tracelith.simulate.topology import System

__all__ = ["deployment_truth"]


def deployment_truth(system: System, fleet: Fleet) -> dict[str, Any]:
    """JSON-ready: count, together, bound, trains, rollbacks, failed_canaries and monorepos.

    ``bound`` lists every pair that habits or a monorepo deploy together on purpose, with the shares of a's and of b's
    planned deployments that include the other one. Trains bind nobody: they move what habits plan.
    """
    deployed = fleet.deployments()
    counts = Counter(row.service for row in deployed)
    return {
        "count": {service.name: counts[service.name] for service in system.services},
        "together": [
            {
                "services": sorted(habit.services),
                "first": habit.services[0],
                "follows": habit.follows,
                "per_week": habit.per_week,
                "within_minutes": habit.within_min,
            }
            for habit in system.habits
            if len(habit.services) > 1
        ],
        "bound": _bound(system),
        "trains": [asdict(train) | {"services": sorted(train.services)} for train in system.trains],
        "monorepos": [asdict(monorepo) | {"services": sorted(monorepo.services)} for monorepo in system.monorepos],
        "canaries": _of_kind(deployed, DeploymentKind.CANARY),
        "failed_canaries": _of_kind(deployed, DeploymentKind.FAILED_CANARY),
        "rollbacks": _of_kind(deployed, DeploymentKind.ROLLBACK),
    }


def _bound(system: System) -> list[dict[str, Any]]:
    """Pairs with the planned deployments a week of each and of both together."""
    alone: defaultdict[str, float] = defaultdict(float)
    both: defaultdict[tuple[str, str], float] = defaultdict(float)
    for habit in system.habits:
        takes_part = {name: habit.follows if place else 1.0 for place, name in enumerate(habit.services)}
        for name, share in takes_part.items():
            alone[name] += habit.per_week * share
        for a, b in combinations(sorted(takes_part), 2):
            both[a, b] += habit.per_week * takes_part[a] * takes_part[b]
    restarted = {
        pair
        for monorepo in system.monorepos
        if monorepo.all_at_once
        for pair in combinations(sorted(monorepo.services), 2)
    }
    return [
        {"services": [a, b], "share_of_a": 1.0, "share_of_b": 1.0, "by": "monorepo"}
        if (a, b) in restarted
        else {
            "services": [a, b],
            "share_of_a": round(both[a, b] / alone[a], 4),
            "share_of_b": round(both[a, b] / alone[b], 4),
            "by": "habit",
        }
        for a, b in sorted({pair for pair, per_week in both.items() if per_week} | restarted)
    ]


def _of_kind(deployed: tuple[Deployment, ...], kind: DeploymentKind) -> dict[str, int]:
    return dict(sorted(Counter(row.service for row in deployed if row.kind is kind).items()))
