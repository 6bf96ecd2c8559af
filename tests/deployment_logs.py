"""Deployment logs with planted truth: independent services, release trains, pairs, clusters."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.deployments.coincidence import DeploymentLog
from tracelith.model.schema import DEPLOYMENT

__all__ = ["HOUR_NS", "MONDAY_NS", "WEEK_HOURS", "cluster", "independent", "log_of", "told_of", "train"]

HOUR_NS = 3_600 * 10**9
WEEK_HOURS = 168
MONDAY_NS = 1_767_571_200 * 10**9
"""2026-01-05 00:00 UTC."""

Hours = NDArray[np.float64]


def log_of(*services: Sequence[float] | Hours, weeks: int) -> DeploymentLog:
    """A log from deployment times in hours after Monday 00:00; services are named s00, s01, …"""
    at = [np.sort(np.round(np.asarray(times, dtype=np.float64) * HOUR_NS).astype(np.int64)) for times in services]
    moments = np.concatenate(at)
    return DeploymentLog(
        tuple(f"s{number:02d}" for number in range(len(services))),
        np.repeat(np.arange(len(services)), [len(times) for times in at]),
        moments,
        moments,
        np.arange(len(moments)),
        MONDAY_NS,
        weeks,
    )


def told_of(log: DeploymentLog, source: str = "csv") -> pl.DataFrame:
    """The log's deployments as somebody would import them."""
    return pl.DataFrame(
        {
            "service": [log.services[code] for code in log.service],
            "environment": "",
            "version": [
                f"{log.services[code]}-{number}" for code, number in zip(log.service, log.version, strict=True)
            ],
            "at_ns": log.at_ns + log.start_ns,
            "earliest_ns": log.at_ns + log.start_ns,
            "source": source,
        },
        schema=DEPLOYMENT,
    )


def independent(random: np.random.Generator, services: int = 16, weeks: int = 26, each: int = 20) -> list[Hours]:
    """Every service deploys when it likes, Monday to Friday, 9 to 18."""
    return [
        random.integers(0, weeks, each) * WEEK_HOURS + random.integers(0, 5, each) * 24 + 9 + 9 * random.random(each)
        for _ in range(services)
    ]


def train(random: np.random.Generator, services: list[Hours], share: float, weeks: int = 26) -> list[Hours]:
    """The same, with that share of each service's deployments on Tuesday between 10:00 and 10:24."""
    moved = []
    for times in services:
        aboard = np.flatnonzero(random.random(len(times)) < share)
        departures = (
            random.choice(weeks, len(aboard), replace=False) * WEEK_HOURS + 34 + 0.4 * random.random(len(aboard))
        )
        moved.append(np.concatenate((np.delete(times, aboard), departures)))
    return moved


def cluster(random: np.random.Generator, services: list[Hours], size: int, follow: float = 0.7) -> list[Hours]:
    """The same, with the first ``size`` services following the first within 18 minutes with that probability."""
    leader, moved = services[0], list(services)
    for member in range(1, size):
        own = services[member]
        together = leader[random.random(len(leader)) < follow]
        moved[member] = np.concatenate((together + 0.3 * random.random(len(together)), own[len(together) :]))
    return moved
