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
"""Share of their requests that versions of both served, for two processes of one program, as for deployments (own)."""
SIMILAR = 0.5
"""A third service with so much in common shows that versions belong to a repository or a train, not to a program."""


def release_units(evidence: Evidence) -> Units:
    """Pairs of services that always carry the same versions, which nobody else carries."""
    seen = evidence.facts.merged(SERVICE_VERSIONS).filter(~pl.col("version").str.contains(MEANINGLESS_VERSION))
    versions: dict[str, dict[str, int]] = defaultdict(dict)
    services: dict[str, set[str]] = defaultdict(set)
    for service, version, traces in seen.select("service", "version", "traces").iter_rows():
        versions[service][version] = traces
        services[version].add(service)
    units = {}
    for service, own in versions.items():
        near = {other for version in own for other in services[version]} - {service}
        alike = [other for other in near if _common(own, versions[other]) >= SIMILAR]
        if len(alike) == 1 and _common(own, versions[alike[0]]) >= SAME:
            units[service] = min(service, alike[0])
    return {service: unit for service, unit in units.items() if sum(other == unit for other in units.values()) > 1}


def _common(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Share of the requests that versions of both served, of that one of the two which has less.

    Requests and not versions are counted: of a version that was soon replaced, sampling may show one process only.
    """
    return min(sum(own[version] for version in a.keys() & b.keys()) / max(sum(own.values()), 1) for own in (a, b))
