"""In how many windows of time each service was deployed, and each two of them together: what counting methods count."""

import polars as pl

__all__ = ["DAY_NS", "HOUR_NS", "fixed_windows", "pair_counts"]

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS


def fixed_windows(deployments: pl.DataFrame, length_ns: int) -> pl.DataFrame:
    """Who was deployed in which window; windows follow each other from 1970 on (days are calendar days in UTC).

    Args:
        deployments: columns service and at_ns.
        length_ns: of a window.

    Returns:
        columns service and window, each pair once.
    """
    return deployments.select("service", window=pl.col("at_ns") // length_ns).unique()


def pair_counts(incidence: pl.DataFrame) -> pl.DataFrame:
    """How often two services share a window, for all that do so at least once.

    Args:
        incidence: columns service and window, each pair once.

    Returns:
        columns a and b (in order of the alphabet), with_a, with_b (windows of each) and both; sorted.
    """
    counts = incidence.group_by("service").agg(pl.len().cast(pl.Int64).alias("windows"))
    together = (
        incidence.rename({"service": "a"})
        .join(incidence.rename({"service": "b"}), on="window")
        .filter(pl.col("a") < pl.col("b"))
        .group_by("a", "b")
        .agg(pl.len().cast(pl.Int64).alias("both"))
    )
    return (
        together.join(counts.rename({"service": "a", "windows": "with_a"}), on="a")
        .join(counts.rename({"service": "b", "windows": "with_b"}), on="b")
        .select("a", "b", "with_a", "with_b", "both")
        .sort("a", "b")
    )
