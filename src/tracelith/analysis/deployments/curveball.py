"""A second opinion on pairs: would they share sessions if only counts and batch sizes were kept? (metrics.md §7.6)

Curveball randomises the service × session table with all row sums (deployments per service) and column sums (batch
sizes) fixed. One step pairs up all services at random and lets each couple trade the sessions only one of them has
(Strona et al. 2014; trading all couples at once: Carstens, Berger & Strona 2016). Many chains run side by side, so
that small systems cost a few hundred array operations instead of a Python loop over trades.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["PERMUTATIONS", "curveball_p_values", "trade"]

PERMUTATIONS = 999
BURN_IN_TRADES = 5
THINNING_TRADES = 3
"""Trades per service before the first table is read, and between two that are read (metrics.md §7.6)."""
CELLS_AT_ONCE = 400_000
"""Table cells worked on in one array operation: large enough to amortise the call, small enough for the cache."""

Bool = NDArray[np.bool_]


def curveball_p_values(
    incidence: Bool,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    random: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> NDArray[np.float64]:
    """One-sided p-values of sharing as many sessions as the pairs do.

    Args:
        incidence: bool[S, M], service took part in session.
        a, b: int64[p], pairs of rows.
        random: source of the trades.
        permutations: tables drawn, at least.

    Returns:
        float64[p]: (1 + tables with as many shared sessions or more) / (tables + 1).
    """
    services = incidence.shape[0]
    observed = _shared(incidence[None], a, b)[0]
    chains = int(np.clip(CELLS_AT_ONCE // max(1, incidence.size), 1, permutations))
    tables = np.repeat(incidence[None], chains, axis=0)
    per_step = max(1, services // 2)
    for _ in range(_steps(BURN_IN_TRADES * services, per_step)):
        trade(tables, random)
    exceeding, drawn = np.zeros(len(a), dtype=np.int64), 0
    while drawn < permutations:
        for _ in range(_steps(THINNING_TRADES * services, per_step)):
            trade(tables, random)
        exceeding += (_shared(tables, a, b) >= observed).sum(axis=0)
        drawn += chains
    return (1 + exceeding) / (drawn + 1)


def trade(tables: Bool, random: np.random.Generator) -> None:
    """One step in every table (bool[C, S, M]), in place: all services pair up and trade; row and column sums stay."""
    chains, services, sessions = tables.shape
    couples = services // 2
    if not couples:
        return
    partner = random.random((chains, services)).argsort(axis=1)
    chain = np.arange(chains)[:, None]
    first, second = partner[:, :couples], partner[:, couples : 2 * couples]
    left = tables[chain, first].reshape(-1, sessions)
    right = tables[chain, second].reshape(-1, sessions)
    couple, session = np.divmod(np.flatnonzero(left ^ right), sessions)  # twice as fast as nonzero
    shuffled = np.argsort(couple + random.random(len(couple)))
    session = session[shuffled]  # couples stay in order, the sessions within each are shuffled
    per_couple = np.bincount(couple, minlength=len(left))
    place = np.arange(len(couple)) - np.repeat(np.cumsum(per_couple) - per_couple, per_couple)
    to_left = place < (left & ~right).sum(axis=1)[couple]
    left[couple, session] = to_left
    right[couple, session] = ~to_left
    tables[chain, first] = left.reshape(chains, couples, sessions)
    tables[chain, second] = right.reshape(chains, couples, sessions)


def _shared(tables: Bool, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([(table[a] & table[b]).sum(axis=1) for table in tables])


def _steps(trades: int, per_step: int) -> int:
    return -(-trades // per_step)
