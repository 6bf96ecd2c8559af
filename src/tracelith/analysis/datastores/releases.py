"""Services that are processes of one release: an application and its worker share their data as one program may."""

from collections import defaultdict
from collections.abc import Mapping

import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.deployments.version_sightings import MEANINGLESS_VERSION, SERVICE_VERSIONS

__all__ = ["Units", "release_units"]

Units = Mapping[str, str]
"""Service to the first of those that are released with it; services that are released alone are left out."""

SAME = 0.95
"""Share of all their versions that two processes of one program have in common, as for deployments (own)."""
SIMILAR = 0.5
"""A third service with so many of them shows that versions belong to a repository, or to a train, not to a program."""


def release_units(evidence: Evidence) -> Units:
    """Pairs of services that always carry the same versions, which nobody else carries."""
    seen = evidence.facts.merged(SERVICE_VERSIONS).filter(~pl.col("version").str.contains(MEANINGLESS_VERSION))
    versions: dict[str, set[str]] = defaultdict(set)
    services: dict[str, set[str]] = defaultdict(set)
    for service, version in seen.select("service", "version").iter_rows():
        versions[service].add(version)
        services[version].add(service)
    units = {}
    for service, own in versions.items():
        near = {other for version in own for other in services[version]} - {service}
        alike = [other for other in near if _common(own, versions[other]) >= SIMILAR]
        if len(alike) == 1 and _common(own, versions[alike[0]]) >= SAME:
            units[service] = min(service, alike[0])
    return {service: unit for service, unit in units.items() if sum(other == unit for other in units.values()) > 1}


def _common(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)
