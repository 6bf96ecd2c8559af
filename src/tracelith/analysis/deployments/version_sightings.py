"""Which versions of a service were seen running, and what their first appearance says (metrics.md §7.1).

A version that appears on a service is a deployment, except where it is no evidence of one. The reasons are listed in
IGNORED_BECAUSE: each is a trap that makes healthy services look as if they deployed together.
"""

import math
from enum import StrEnum

import numpy as np
import polars as pl

from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.times import DAY_NS, MINUTE_NS
from tracelith.analysis.visits import visits_of
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable
from tracelith.model.schema import OTHER

__all__ = [
    "APPEARANCE",
    "DAY_NS",
    "DEBOUNCE_NS",
    "MOST_VERSIONS_A_DAY",
    "SERVICE_VERSIONS",
    "Ignored",
    "appearances",
    "clean_sightings",
    "detection_delay_ns",
    "nameless",
    "observe_versions",
]

SERVICE_VERSIONS = FactTable(
    "service_versions",
    keys={"service": pl.String, "version": pl.String},
    sums={"spans": pl.Int64, "traces": pl.Int64},
    minima={"first_ns": pl.Int64},
    maxima={"last_ns": pl.Int64},
)

APPEARANCE = pl.Schema(
    {
        "service": pl.String,
        "version": pl.String,
        "at_ns": pl.Int64,  # first span of the version
        "earliest_ns": pl.Int64,  # last span of the service before it
        "rollout_end_ns": pl.Int64,  # last span of the version it replaced; null while that is still running
    }
)

DEBOUNCE_NS = 30 * MINUTE_NS
"""Deployments of one service closer than this are one deployment (metrics.md §7.1)."""
FORGOTTEN_NS = 7 * DAY_NS
"""A version not seen for this long counts as deployed when it returns: a rollback (metrics.md §7.1)."""
MOST_VERSIONS_A_DAY = DAY_NS // DEBOUNCE_NS
"""Versions of one service that can be told apart within a day: more of them leave no debounce time to each."""
LONGEST_TRACE_NS = DAY_NS
"""A span later than this after its trace's window comes from a broken clock."""
MEANINGLESS_VERSION = (
    r"(?i)^(|latest|unknown|none|null|undefined|n/a|dev|snapshot|main|master|head|\(other\)|\$\{.*\})$"
)
"""Names that stay the same whatever runs, placeholders nobody filled in, and the store's overflow row."""


class Ignored(StrEnum):
    """Why a version was no evidence of a deployment."""

    NAMELESS = "its spans carry no version that tells releases apart (empty, latest, unknown, …)"
    LOW_TRAFFIC = (
        "too few requests to tell within 30 minutes when a version appeared; "
        "import its deployments, or sample more of its traces"
    )
    FLOOD = (
        "dozens of versions appeared within a day: versions that change with every instance or request say nothing "
        "about releases; let service.version change with releases only, or import deployments"
    )
    FOLDED = (
        "the service brought more versions than are kept apart, so later ones are not told apart; let service.version "
        "change with releases only, or import deployments"
    )
    GAP = "it appeared after more than 30 minutes without any request, so nobody knows when it was deployed"
    SHARED = (
        "most services got the same version at the same time: one version for the whole repository does not tell which "
        "of them changed; import deployments, or set service.version per service"
    )
    UNCHANGED = "the version was the one already running: a restart, not a deployment"
    COMMITS = (
        "imported from a commit log: commits are not deployments, and dependency bots touch services on one schedule"
    )
    UNTOLD = "it was seen running, but is not among the deployments imported for that time"


def observe_versions(view: ForestView) -> pl.DataFrame:
    """SERVICE_VERSIONS rows: spans, traces, first and last start per window, environment, service and version."""
    forest, visits = view.forest, view.once(visits_of)
    sightings = groups_of(
        {
            "window_ns": forest.trace_window[visits.trace],
            "environment": forest.trace_environment[visits.trace],
            "service": visits.service,
            "version": visits.version,
        }
    )
    rows = pl.DataFrame(
        {
            **sightings.keys,
            "spans": sightings.sums(visits.spans),
            "traces": sightings.counts(),
            "first_ns": sightings.smallest(visits.first_ns),
            "last_ns": sightings.largest(visits.last_ns),
        }
    )
    return fact_rows(SERVICE_VERSIONS, rows, view, service=forest.services, version=visits.versions)


def clean_sightings(sightings: pl.DataFrame) -> pl.DataFrame:
    """Sightings of versions that name something, sorted by service and time, times of broken clocks clipped."""
    return (
        sightings.lazy()
        .with_columns(pl.col("version").str.strip_chars())
        .filter(~pl.col("version").str.contains(MEANINGLESS_VERSION))
        .with_columns(
            first_ns=pl.col("first_ns").clip(pl.col("window_ns"), pl.col("window_ns") + LONGEST_TRACE_NS),
            last_ns=pl.col("last_ns").clip(pl.col("window_ns"), pl.col("window_ns") + LONGEST_TRACE_NS),
        )
        .sort("service", "first_ns", "version")
        .collect()
    )


def nameless(sightings: pl.DataFrame) -> pl.DataFrame:
    """Services with spans whose version tells nothing: columns service, reason and count (of such versions)."""
    return (
        sightings.lazy()
        .with_columns(pl.col("version").str.strip_chars())
        .filter(pl.col("version").str.contains(MEANINGLESS_VERSION))
        .group_by(
            "service",
            pl.when(pl.col("version") == OTHER)
            .then(pl.lit(Ignored.FOLDED.value))
            .otherwise(pl.lit(Ignored.NAMELESS.value))
            .alias("reason"),
        )
        .agg(pl.col("version").n_unique().cast(pl.Int64).alias("count"))
        .sort("service", "reason")
        .collect()
    )


def detection_delay_ns(sightings: pl.DataFrame) -> pl.DataFrame:
    """Within what time a new version shows itself with 95 % probability: columns service and delay_ns.

    ln 20 / rate of traces through the service, over the time it was seen (metrics.md §2.3). Sampling is in the rate.
    """
    return (
        sightings.lazy()
        .group_by("service")
        .agg(
            (math.log(20) * (pl.col("last_ns").max() - pl.col("first_ns").min()) / pl.col("traces").sum()).alias(
                "delay_ns"
            )
        )
        .sort("service")
        .collect()
    )


def appearances(sightings: pl.DataFrame) -> pl.DataFrame:
    """Every time a version appeared on a service that was already running: APPEARANCE rows by service and time.

    The versions running when a service was first seen did not appear, they were there: so nothing counts within the
    debounce time of that moment. A version back after a quiet time, with no other in between, was restarted. A canary
    counts from its first span.
    """
    marked = (
        sightings.lazy()
        .sort("service", "first_ns", "version")
        .with_columns(
            seen_before_ns=pl.col("last_ns").cum_max().shift(1).over("service", "version"),
            replaced=pl.col("version").shift(1).over("service"),
            service_first_ns=pl.col("first_ns").min().over("service"),
        )
        .filter(
            pl.col("first_ns") - pl.col("service_first_ns") >= DEBOUNCE_NS,
            pl.col("seen_before_ns").is_null()
            | (
                (pl.col("first_ns") - pl.col("seen_before_ns") >= FORGOTTEN_NS)
                & (pl.col("replaced") != pl.col("version"))
            ),
        )
        .select("service", "version", "replaced", at_ns="first_ns")
        .collect()
    )
    dated = _rollout_ends(_last_seen_before(marked, sightings), sightings)
    return dated.select(pl.col(name).cast(kind) for name, kind in APPEARANCE.items()).sort("service", "at_ns")


def _last_seen_before(marked: pl.DataFrame, sightings: pl.DataFrame) -> pl.DataFrame:
    """Adds earliest_ns: the service's last span before at_ns, as exactly as the sightings tell.

    A sighting that spans the moment only says that there were requests before and after; then the service's rate in
    that sighting bounds the time since the last one (with 95 % probability).
    """
    moments = pl.concat(
        (sightings.select("service", moment_ns="first_ns"), sightings.select("service", moment_ns="last_ns"))
    ).sort("service", "moment_ns")
    spanning = sightings.select(
        "service",
        "first_ns",
        "last_ns",
        typical_ns=(math.log(20) * (pl.col("last_ns") - pl.col("first_ns")) / pl.col("traces")).cast(pl.Int64),
    ).sort("service", "first_ns")
    found = (
        marked.sort("service", "at_ns")
        .join_asof(
            moments,
            left_on="at_ns",
            right_on="moment_ns",
            by="service",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .join_asof(
            spanning,
            left_on="at_ns",
            right_on="first_ns",
            by="service",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    )
    bounded = pl.when(pl.col("last_ns") > pl.col("at_ns")).then(pl.col("at_ns") - pl.col("typical_ns"))
    return found.with_columns(earliest_ns=pl.max_horizontal("moment_ns", bounded)).select(
        "service", "version", "replaced", "at_ns", "earliest_ns"
    )


def _rollout_ends(dated: pl.DataFrame, sightings: pl.DataFrame) -> pl.DataFrame:
    """Adds rollout_end_ns: the replaced version's last span, before the next version came; null if still running."""
    never = np.iinfo(np.int64).max
    following = dated.sort("service", "at_ns").with_columns(
        next_ns=pl.col("at_ns").shift(-1).over("service").fill_null(never)
    )
    ends = (
        following.lazy()
        .join(sightings.lazy().select("service", "first_ns", "last_ns", replaced="version"), on=["service", "replaced"])
        .filter(pl.col("first_ns") < pl.col("next_ns"))
        .group_by("service", "at_ns")
        .agg(pl.max_horizontal(pl.col("last_ns").max(), pl.col("at_ns").first()).alias("rollout_end_ns"))
        .collect()
    )
    end_of_service = sightings.group_by("service").agg(pl.col("last_ns").max().alias("service_last_ns"))
    joined = following.join(ends, on=["service", "at_ns"], how="left").join(end_of_service, on="service", how="left")
    still_running = (pl.col("rollout_end_ns") >= pl.col("next_ns")) | (
        pl.col("rollout_end_ns") >= pl.col("service_last_ns") - DEBOUNCE_NS
    )
    return joined.with_columns(rollout_end_ns=pl.when(~still_running).then(pl.col("rollout_end_ns")))
