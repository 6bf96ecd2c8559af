"""Whether a sampler that does not say so seems to have kept failed requests first.

Such traces show too many failures, and nothing tells how many too many. Two signs give it away: so many requests fail
at all times that no system could live with it; or, as most failures come in outages, more traces come while much fails
than before and after. People who try again do that, too, but hardly make it twice as many.
"""

import numpy as np
import polars as pl

from tracelith.analysis.failures.stretches import Troubles
from tracelith.analysis.failures.tables import ENTRY_OUTCOMES, FAILED
from tracelith.analysis.failures.timelines import Timelines
from tracelith.analysis.statistics.weights import SAMPLING_KEY
from tracelith.model.facts import FactReader

__all__ = ["kept_for_errors"]

USUALLY_FAILED = 0.2
"""Share of failed requests in half of all blocks of time above which a sampler, not the system, is the likelier reason;
2 % of failures beside 5 % of all other traces make 0.29 (metrics.md §2.3)."""

MUCH_FAILED = 0.5
"""Stretches with this share of failed requests are compared with the hours around them."""

FEWEST_FAILED = 50
"""Requests in such stretches."""

TOO_MANY = 2.0
"""Times as many requests while much fails as before and after. A sampler that keeps one other trace in seven and all
failed ones makes seven of one in a full outage."""

_AROUND_NS = 2 * 3_600_000_000_000

_MEND = "; let it write the probability (ot=th:... in tracestate), or keep traces without looking at errors"


def kept_for_errors(facts: FactReader, blocks: pl.DataFrame, troubles: Troubles) -> str:
    """Why shares of failures cannot be told, empty if nothing speaks against them.

    Args:
        blocks: requests from outside by block of time and outcome. troubles: stretches in which something fails.
    """
    unknown = blocks.filter(~pl.col(SAMPLING_KEY))
    if unknown["traces"].sum() <= blocks["traces"].sum() / 2:
        return ""
    failed = pl.col("traces").filter(pl.col("outcome") == FAILED).sum()
    usual = unknown.group_by("window_ns").agg((failed / pl.col("traces").sum()).alias("share"))["share"].median()
    if isinstance(usual, float) and usual >= USUALLY_FAILED:
        return (
            "so many requests fail at all times that a sampler seems to have kept failed ones first, without saying so"
            + _MEND
        )
    if _times_as_many(facts, troubles) >= TOO_MANY:
        return (
            "far more traces come while much fails than before and after: a sampler seems to have kept failed ones "
            "first, without saying so" + _MEND
        )
    return ""


def _times_as_many(facts: FactReader, troubles: Troubles) -> float:
    """Requests in stretches in which much failed, against as many as came in the hours around; 1 without enough."""
    stretches = [stretch for found in troubles.stretches.values() for stretch in found]
    lost = pl.when(pl.col("outcome") == FAILED).then(pl.col("requests")).otherwise(0)
    rows = facts.by_window(ENTRY_OUTCOMES).filter(~pl.col(SAMPLING_KEY)).with_columns(lost=lost, all=pl.lit(""))
    timeline, names = Timelines.of(rows, "all", ["requests", "lost"]), [""] * len(stretches)
    start = np.array([stretch.start_ns for stretch in stretches], dtype=np.int64)
    end = np.array([stretch.end_ns for stretch in stretches], dtype=np.int64)
    came, failed = (timeline.between(names, column, start, end) for column in ("requests", "lost"))
    around = timeline.between(names, "requests", start - _AROUND_NS, end + _AROUND_NS) - came
    expected = around * (end - start) / (2 * _AROUND_NS)
    much = failed >= MUCH_FAILED * came
    if failed[much].sum() < FEWEST_FAILED:
        return 1.0
    # Where hardly anything comes otherwise, a few more are chance.
    return float(came[much].sum()) / max(float(expected[much].sum()), FEWEST_FAILED / 5)
