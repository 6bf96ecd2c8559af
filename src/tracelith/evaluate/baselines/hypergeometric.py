"""Hypergeometric test of co-change on calendar days: more shared days than two independent draws of days would have.

Definition: of N days, a have a deployment of the one service and b of the other; under independence the number with
both is hypergeometric, and p = P(X >= k). A pair is told if p is at most .05, each pair for itself.

Thresholds: .05 by convention (R. A. Fisher); no correction for the number of pairs, as in the studies that list
"significant" co-changes pair by pair.

What it gets wrong: every day counts as equally likely, weekends and freezes included. Working days alone raise its
false alarms above the nominal .05, and a weekly release train raises them to most pairs: the train is a cause common
to all, which is not what the test can tell from coupling.

Source: R. A. Fisher's exact test, one-sided; association of changes in version histories, for example T. Zimmermann
et al., Mining version histories to guide software changes (2005), measures the same table by support and confidence.
"""

import polars as pl

from tracelith.analysis.statistics.contrasts import hypergeometric_p
from tracelith.evaluate.baselines.accusing import pair_claims
from tracelith.evaluate.baselines.windows import DAY_NS, fixed_windows, pair_counts
from tracelith.evaluate.claims import Claim, Evidence, Method

__all__ = ["METHOD", "associated_pairs"]

ALPHA = 0.05


def associated_pairs(deployments: pl.DataFrame, start_ns: int, end_ns: int) -> pl.DataFrame:
    """Pairs with p at most ALPHA: columns a, b and p, sorted by name.

    Args:
        deployments: columns service and at_ns.
        start_ns, end_ns: the half-open period; its days are the windows to draw from.
    """
    counts = pair_counts(fixed_windows(deployments, DAY_NS))
    days = (end_ns - 1) // DAY_NS - start_ns // DAY_NS + 1
    p, _ = hypergeometric_p(days, *(counts[name].to_numpy() for name in ("with_a", "with_b", "both")))
    return counts.select("a", "b").with_columns(p=pl.Series(p, dtype=pl.Float64)).filter(pl.col("p") <= ALPHA)


def _judge(evidence: Evidence) -> list[Claim]:
    return pair_claims("hypergeometric", associated_pairs(evidence.deployments, evidence.start_ns, evidence.end_ns))


METHOD = Method(
    name="hypergeometric",
    title="Hypergeometric test on calendar days",
    explanation=(
        "It holds every day for equally likely, so the working week alone makes pairs, and a weekly train makes one "
        "of nearly any two services."
    ),
    detectors=("codeployment-pair", "alarm"),
    judge=_judge,
)
