"""What others would say of the same evidence: published methods as their authors define them.

One module per method. Each docstring says how the method is defined, where its thresholds come from, what it gets
wrong and why, and its source. They look at spans and deployments only, never at what our own analyses found.
"""

from tracelith.evaluate.baselines import (
    call_graph,
    code_maat,
    error_correlation,
    esb_usage,
    event_coincidence,
    fixed_calls,
    graph_cycles,
    hypergeometric,
    jaccard,
    quantile_ratio,
    shared_datastore,
)
from tracelith.evaluate.claims import Method

__all__ = ["METHODS"]

METHODS: tuple[Method, ...] = (
    call_graph.METHOD,
    esb_usage.METHOD,
    quantile_ratio.METHOD,
    code_maat.METHOD,
    jaccard.METHOD,
    hypergeometric.METHOD,
    event_coincidence.METHOD,
    shared_datastore.METHOD,
    error_correlation.METHOD,
    fixed_calls.METHOD,
    graph_cycles.METHOD,
)
"""In the order of tables."""
