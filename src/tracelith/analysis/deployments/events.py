"""When each service was deployed: from what people told and from versions seen in traces (metrics.md §7.1).

What was told takes precedence. Sightings fill the rest, minus those that are no evidence (version_sightings.Ignored).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelith.analysis.deployments.version_sightings import (
    DAY_NS,
    DEBOUNCE_NS,
    MOST_VERSIONS_A_DAY,
    Ignored,
    appearances,
    clean_sightings,
    detection_delay_ns,
    nameless,
)
from tracelith.model.schema import DEPLOYMENT

__all__ = ["EVENT", "DeploymentEvents", "deployment_events"]

EVENT = pl.Schema(
    {
        "service": pl.String,
        "version": pl.String,
        "at_ns": pl.Int64,
        "earliest_ns": pl.Int64,  # the deployment happened in [earliest_ns, at_ns]
        "rollout_end_ns": pl.Int64,  # null: not known, or still running beside its predecessor
        "source": pl.String,  # traces | csv | api
    }
)

SHARED_BY_AT_LEAST = 3
SHARED_SHARE = 0.8
"""A service whose versions appear on most other services at the same time this often carries a repository's version."""


@dataclass(frozen=True, slots=True)
class DeploymentEvents:
    """Deployments of one environment, de-bounced, and what did not count as one.

    Attributes:
        events: EVENT rows sorted by at_ns and service.
        ignored: columns service, reason, count, sorted.
        observed_start_ns, observed_end_ns: period that sightings and told deployments cover; equal if there are none.
    """

    events: pl.DataFrame
    ignored: pl.DataFrame
    observed_start_ns: int
    observed_end_ns: int


def deployment_events(sightings: pl.DataFrame, told: pl.DataFrame, *, start_ns: int, end_ns: int) -> DeploymentEvents:
    """Deployments in the half-open period.

    Args:
        sightings: SERVICE_VERSIONS facts per window, with window_ns.
        told: DEPLOYMENT rows from people and pipelines. A service told without a namespace is the one service seen
            under that name in any namespace, if there is exactly one.
        start_ns, end_ns: the period.
    """
    seen = clean_sightings(sightings)
    external, unchanged = _told_events(_with_namespaces(told, sightings), start_ns, end_ns)
    from_traces, doubtful = _seen_events(seen, external, start_ns, end_ns)
    unnamed = nameless(sightings).select("service", "reason", "count")
    events = pl.concat((external, from_traces)).sort("at_ns", "service", "version")
    ignored = _tally((unnamed, unchanged, doubtful), told_about=set(external["service"]))
    return DeploymentEvents(events, ignored, *_coverage(sightings, external, start_ns, end_ns))


def _told_events(told: pl.DataFrame, start_ns: int, end_ns: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """EVENT rows of what was told, and what of it changed nothing."""
    inside = pl.col("at_ns") >= start_ns
    commits = told.filter((pl.col("source") == "commits") & inside & (pl.col("at_ns") < end_ns))
    ordered = (
        told.filter(pl.col("at_ns") < end_ns, pl.col("source") != "commits")
        .with_columns(pl.col("version").str.strip_chars())
        .unique(["service", "version", "at_ns"])
        .sort("service", "at_ns", "version")
        .with_columns(running=pl.col("version").shift(1).over("service"))
    )
    same = (pl.col("version") != "") & (pl.col("version") == pl.col("running")).fill_null(value=False)
    no_evidence = pl.concat(
        (
            _because(Ignored.UNCHANGED, _counted(ordered.filter(same & inside))),
            _because(Ignored.COMMITS, _counted(commits)),
        )
    )
    changed = ordered.filter(~same & inside).with_columns(rollout_end_ns=pl.lit(None, dtype=pl.Int64))
    return _debounced(changed.select(EVENT.names())), no_evidence


def _seen_events(
    seen: pl.DataFrame, external: pl.DataFrame, start_ns: int, end_ns: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """EVENT rows of the versions that appeared, and those that are no evidence with the reason."""
    found = (
        appearances(seen)
        .filter(pl.col("at_ns").is_between(start_ns, end_ns, closed="left"))
        .join(_told_periods(external), on="service", how="left")
        .join(_told_versions(external), on=["service", "version"], how="left")
        .join(detection_delay_ns(seen), on="service", how="left")
        .with_columns(source=pl.lit("traces"))
    )
    within = pl.col("at_ns").is_between(pl.col("told_from_ns"), pl.col("told_to_ns")).fill_null(value=False)
    repeated = (pl.col("told_at_ns") <= pl.col("at_ns") + DEBOUNCE_NS).fill_null(value=False)
    reasoned = found.filter(~repeated).with_columns(
        reason=pl.when(within)
        .then(pl.lit(Ignored.UNTOLD.value))
        .when(pl.len().over("service", pl.col("at_ns") // DAY_NS) > MOST_VERSIONS_A_DAY)
        .then(pl.lit(Ignored.FLOOD.value))
        .when(pl.col("delay_ns") >= DEBOUNCE_NS)
        .then(pl.lit(Ignored.LOW_TRAFFIC.value))
        .when(pl.col("at_ns") - pl.col("earliest_ns") > DEBOUNCE_NS)
        .then(pl.lit(Ignored.GAP.value))
    )
    credible = reasoned.filter(pl.col("reason").is_null())
    shared = _services_sharing_versions(credible, seen["service"].n_unique())
    reasoned = reasoned.with_columns(
        reason=pl.when(pl.col("reason").is_null() & pl.col("service").is_in(shared))
        .then(pl.lit(Ignored.SHARED.value))
        .otherwise(pl.col("reason"))
    )
    kept = reasoned.filter(pl.col("reason").is_null()).select(EVENT.names())
    dropped = reasoned.filter(pl.col("reason").is_not_null()).group_by("service", "reason")
    return _debounced(kept), dropped.agg(pl.len().cast(pl.Int64).alias("count"))


def _services_sharing_versions(found: pl.DataFrame, services: int) -> list[str]:
    """Services whose versions nearly always appear on most of the services within the debounce time."""
    if found.is_empty():
        return []
    most = max(SHARED_BY_AT_LEAST, services // 2 + 1)
    together = found.sort("version", "at_ns").with_columns(
        burst=(pl.col("at_ns").diff() > DEBOUNCE_NS).fill_null(value=True).cum_sum().over("version")
    )
    breadth = together.with_columns(breadth=pl.col("service").n_unique().over("version", "burst"))
    share = breadth.group_by("service").agg((pl.col("breadth") >= most).mean().alias("share"))
    return share.filter(pl.col("share") >= SHARED_SHARE)["service"].sort().to_list()


def _debounced(events: pl.DataFrame) -> pl.DataFrame:
    """One event per burst: the burst's first moment, the version that it ended with."""
    bursts = events.sort("service", "at_ns", "version").with_columns(
        burst=(pl.col("at_ns").diff() >= DEBOUNCE_NS).fill_null(value=True).cum_sum().over("service")
    )
    merged = bursts.group_by("service", "burst", maintain_order=True).agg(
        pl.col("version").last(),
        pl.col("at_ns").first(),
        pl.col("earliest_ns").first(),
        pl.col("rollout_end_ns").last(),
        pl.col("source").first(),
    )
    return merged.select(pl.col(name).cast(kind) for name, kind in EVENT.items())


def _told_periods(external: pl.DataFrame) -> pl.DataFrame:
    return external.group_by("service").agg(
        (pl.col("at_ns").min() - DEBOUNCE_NS).alias("told_from_ns"),
        (pl.col("at_ns").max() + DEBOUNCE_NS).alias("told_to_ns"),
    )


def _told_versions(external: pl.DataFrame) -> pl.DataFrame:
    return external.group_by("service", "version").agg(pl.col("at_ns").min().alias("told_at_ns"))


def _with_namespaces(told: pl.DataFrame, sightings: pl.DataFrame) -> pl.DataFrame:
    """Told deployments under the names that traces use, where "auth" can only mean "shop/auth"."""
    known = sightings.select("service").unique().with_columns(bare=pl.col("service").str.split("/").list.last())
    only = known.filter(pl.len().over("bare") == 1).rename({"service": "full"})
    named = told.cast(dict(DEPLOYMENT.items())).join(only, left_on="service", right_on="bare", how="left")
    exact = pl.col("service").is_in(known["service"].implode())
    return named.with_columns(
        service=pl.when(exact).then(pl.col("service")).otherwise(pl.coalesce("full", "service"))
    ).drop("full")


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("service").agg(pl.len().cast(pl.Int64).alias("count"))


def _because(reason: Ignored, counted: pl.DataFrame) -> pl.DataFrame:
    return counted.select("service", pl.lit(reason.value).alias("reason"), "count")


def _tally(parts: tuple[pl.DataFrame, ...], told_about: set[str]) -> pl.DataFrame:
    """All that was ignored; a version without a name costs nothing where deployments were told."""
    rows = pl.concat([part.select("service", "reason", pl.col("count").cast(pl.Int64)) for part in parts])
    unnamed = pl.col("reason").is_in([Ignored.NAMELESS.value, Ignored.FOLDED.value])
    moot = pl.col("service").is_in(sorted(told_about)) & unnamed
    return rows.filter(~moot).group_by("service", "reason").agg(pl.col("count").sum()).sort("service", "reason")


def _coverage(sightings: pl.DataFrame, external: pl.DataFrame, start_ns: int, end_ns: int) -> tuple[int, int]:
    moments = np.concatenate(
        [sightings["window_ns"].to_numpy(), sightings["last_ns"].to_numpy(), external["at_ns"].to_numpy()]
    )
    if not moments.size:
        return start_ns, start_ns
    return int(moments.min().clip(start_ns, end_ns)), int((moments.max() + 1).clip(start_ns, end_ns))
