"""Event coincidence analysis with the significance test for independent Poisson processes.

Definition: an event of A coincides with B if B has an event within 30 minutes on either side. The coincidence rate of
A is the share of its events that coincide; events within 30 minutes of either end of the period are left out of it, as
their window is cut. If B is a Poisson process with n events in a period of length T, an event of A coincides with
probability 1 - (1 - w / T)^n, w being the length of the window (an hour), and the number of coinciding events is
binomial. A pair is told if both directions have p at most .05, each pair for itself.

Thresholds: the window is that of our own test, so that the comparison is about the null model; .05 by convention, with
no correction for the number of pairs. The method is directed; asking for both directions is its stricter reading.

What it gets wrong: deployments are no Poisson process. People deploy in working time, a quarter of the week, so
coincidences are four times as common as the null model has it; and a release train breaks it altogether. The authors
warn of processes with a rhythm and propose surrogates for them.

Source: J. F. Donges, C.-F. Schleussner, J. F. Siegmund, R. V. Donner, Event coincidence analysis for quantifying
statistical interrelationships between event time series, EPJ Special Topics 225 (2016); for symmetric windows and the
ends of the period, A. Odenweller and R. V. Donner, arXiv:1910.12343 (2020), and pyunicorn.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.statistics.contrasts import poisson_coincidence_p
from tracelith.evaluate.baselines.accusing import pair_claims
from tracelith.evaluate.baselines.windows import HOUR_NS
from tracelith.evaluate.claims import Claim, Evidence, Method

__all__ = ["METHOD", "coincidence_tests"]

DELTA_NS = HOUR_NS // 2
ALPHA = 0.05

Moments = NDArray[np.int64]


def coincidence_tests(deployments: pl.DataFrame, start_ns: int, end_ns: int) -> pl.DataFrame:
    """Both directions of every pair, sorted by name: columns a, b, p_ab (of a's events that coincide with b's), p_ba.

    Args:
        deployments: columns service and at_ns.
        start_ns, end_ns: the half-open period observed.
    """
    by_service = deployments.sort("service", "at_ns").partition_by("service", as_dict=True, maintain_order=True)
    series = {str(service): moments["at_ns"].to_numpy() for (service,), moments in by_service.items()}
    pairs = list(combinations(series, 2))
    return pl.DataFrame(pairs, schema={"a": pl.String, "b": pl.String}, orient="row").with_columns(
        p_ab=pl.Series(_directed([(series[a], series[b]) for a, b in pairs], start_ns, end_ns)),
        p_ba=pl.Series(_directed([(series[b], series[a]) for a, b in pairs], start_ns, end_ns)),
    )


def _directed(pairs: Sequence[tuple[Moments, Moments]], start_ns: int, end_ns: int) -> NDArray[np.float64]:
    """p for each pair, of the first's events that coincide with the second's."""
    counts = np.empty((len(pairs), 3), np.int64)
    for row, (events, others) in enumerate(pairs):
        inner = events[(events >= start_ns + DELTA_NS) & (events < end_ns - DELTA_NS)]
        before = np.searchsorted(others, inner - DELTA_NS, side="left")
        until = np.searchsorted(others, inner + DELTA_NS, side="right")
        counts[row] = (until > before).sum(), inner.size, others.size
    coincidences, events, others = counts.T
    return poisson_coincidence_p(events, others, 2 * DELTA_NS, end_ns - start_ns, coincidences)


def _judge(evidence: Evidence) -> list[Claim]:
    tests = coincidence_tests(evidence.deployments, evidence.start_ns, evidence.end_ns)
    return pair_claims("event-coincidence", tests.filter(pl.max_horizontal("p_ab", "p_ba") <= ALPHA))


METHOD = Method(
    name="event-coincidence",
    title="Event coincidence analysis with Poisson significance",
    explanation=(
        "Its null model strews deployments evenly over day and night, so working hours alone pass for coupling, and "
        "under a release train nearly every pair does."
    ),
    detectors=("codeployment-pair", "alarm"),
    judge=_judge,
)
