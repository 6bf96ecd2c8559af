"""Co-deployment.

Question: Which services deploy together, and does any service ever deploy alone?

Method: Deployments come from people and pipelines, else from the first span of a version never seen on a running
service. The last 26 whole weeks count. Two deployments coincide within 30 minutes. Each deployment has two chances to
meet one of the other service: by its weekly and fortnightly rhythm, from all other weeks, and by the activity of all
other services near that very moment. A pair is coupled if its coincidences, the unlikely ones weighing more, exceed
both: exact tests, Benjamini–Hochberg at 10 % over all pairs that could be significant. Lockstep compares how often
services deploy alone with independent deployments in the same working hours.

Reading: An excess of 0 is what the calendar and everybody's activity explain, 1 is always together; the lower end of
its 95 % interval counts. "pair" means coupled beyond the whole organisation's rhythm, "group" that it shows once the
others of the group are left out of that rhythm, "calendar" that one of the two rhythms explains it. High lockstep
without coupled pairs is a release train: a habit of the organisation that hides whether services could deploy alone.

Needs: Five deployments of each service in six weeks for a pair; 30 deployments of four services in six weeks for
lockstep. From traces alone also a service.version that changes with each release, and enough requests to see a new
version within 30 minutes.

False positives: Commits or dependency bots imported as deployments: bots touch services on one schedule without
coupling them. A train that leaves at irregular times and carries no more than half of the services looks like a group
of them. One version for the whole repository is recognised and not used. Neither is a deployment whose moment is
unknown by more than 30 minutes. Configuration changes are invisible.

Source: Own estimator (two chances for each deployment) on event coincidence analysis (Donges et al. 2016); curveball
(Strona et al. 2014); Tarone 1990; Benjamini & Hochberg 1995.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.deployments.cochange import find_sessions
from tracelith.analysis.deployments.coincidence import DELTA_NS, WEEK_NS, DeploymentLog
from tracelith.analysis.deployments.document import Codeployment, codeployment_document, unknown_document
from tracelith.analysis.deployments.events import DeploymentEvents, deployment_events
from tracelith.analysis.deployments.findings import codeployment_findings
from tracelith.analysis.deployments.lockstep import lockstep, release_train
from tracelith.analysis.deployments.pair_search import search_pairs
from tracelith.analysis.deployments.version_sightings import SERVICE_VERSIONS, observe_versions
from tracelith.analysis.times import DAY_NS, HOUR_NS
from tracelith.forest.view import ForestView

__all__ = ["ANALYSIS", "conclude", "deployment_log", "observe", "study"]

MOST_WEEKS = 26
"""Older deployments say little about the system of today (metrics.md §7.11)."""
EDGE_NS = 2 * DAY_NS
"""A log begins and ends with a deployment, so a weekend at either end makes it look this much shorter than it is."""
FINE_PERIOD_NS = 2 * WEEK_NS
"""Longer periods are read in hourly blocks; versions are still dated by their first span."""


def observe(view: ForestView) -> dict[str, pl.DataFrame]:
    """Facts of co-deployment: which versions ran when."""
    return {SERVICE_VERSIONS.name: observe_versions(view)}


def conclude(evidence: Evidence) -> Conclusion:
    """Lockstep, pairs and groups of one environment.

    Told deployments count for 26 weeks even where the traces cover less: a file of traces is often an hour long.
    """
    result = study(_events(evidence))
    return Conclusion({"codeployment": codeployment_document(result)}, codeployment_findings(result))


def study(events: DeploymentEvents) -> Codeployment:
    """All statistics on these deployments."""
    log = deployment_log(events)
    sessions = find_sessions(log, DELTA_NS)
    return Codeployment(events, log, sessions, lockstep(log, sessions), release_train(log, sessions), search_pairs(log))


def deployment_log(events: DeploymentEvents) -> DeploymentLog:
    """The deployments in the last whole weeks observed, at most 26.

    The period ends where observation ends and is counted backwards in whole weeks, since shifts wrap around it; what is
    left over at its beginning, less than a week, is not used.
    """
    observed = events.observed_end_ns - events.observed_start_ns
    weeks = int(np.clip((observed + EDGE_NS) // WEEK_NS, 1, MOST_WEEKS))
    start_ns = events.observed_end_ns - weeks * WEEK_NS
    inside = events.events.filter(pl.col("at_ns") >= start_ns).sort("service", "at_ns")
    services = inside["service"].unique().sort()
    codes = np.searchsorted(services.to_numpy(), inside["service"].to_numpy()) if len(inside) else np.empty(0)
    return DeploymentLog(
        tuple(services),
        codes.astype(np.int64),
        inside["at_ns"].to_numpy() - start_ns,
        inside["earliest_ns"].to_numpy() - start_ns,
        _version_codes(inside["version"]),
        start_ns,
        weeks,
    )


def _events(evidence: Evidence) -> DeploymentEvents:
    block_ns = HOUR_NS if evidence.end_ns - evidence.start_ns > FINE_PERIOD_NS else None
    sightings = evidence.facts.by_window(SERVICE_VERSIONS, block_ns)
    horizon_ns = min(evidence.start_ns, evidence.end_ns - MOST_WEEKS * WEEK_NS)
    return deployment_events(sightings, evidence.deployments, start_ns=horizon_ns, end_ns=evidence.end_ns)


def _version_codes(versions: pl.Series) -> NDArray[np.int64]:
    codes = versions.rank("dense").cast(pl.Int64).to_numpy()
    return np.where((versions == "").to_numpy(), -1, codes)


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(SERVICE_VERSIONS,),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda reason: {"codeployment": unknown_document(reason)},
)
