"""Performance monitors' rule for N+1 queries: one request makes the same query five times or more.

Definition: spans below one and the same span that are calls of the same name to the same datastore are repetitions. An
operation is accused if they are five or more in any of its requests.

Thresholds: five, the default of the tools that document one.

What it gets wrong: one request is enough, so a page that once had five rows to show, and attempts that a driver
repeats, make an issue. It asks for queries only: calls to services in a loop are not looked at. And a bound that does
not ask how often it is passed cannot tell an operation that reads row by row from one with much to do now and then.

Source: the documentation of Sentry's detector of N+1 queries and of Digma's insight of the same name (five queries).
"""

import polars as pl

from tracelith.evaluate.baselines.accusing import alarm
from tracelith.evaluate.baselines.call_graph import linked_spans
from tracelith.evaluate.claims import Claim, Evidence, Method, chatty_subject

__all__ = ["METHOD", "repeating_operations"]

REPETITIONS = 5


def repeating_operations(spans: pl.DataFrame) -> pl.DataFrame:
    """Columns service, name (of the operation above) and peer, sorted."""
    linked = linked_spans(spans)
    queries = linked.filter(pl.col("peer_kind") == "datastore", pl.col("parent") >= 0)
    repeated = queries.group_by("parent", "name", "peer").agg(times=pl.len()).filter(pl.col("times") >= REPETITIONS)
    above = linked.select(pl.col("row").cast(pl.Int64).alias("parent"), "service", operation="name")
    found = repeated.drop("name").join(above, on="parent").rename({"operation": "name"})
    return found.select("service", "name", "peer").unique().sort("service", "name", "peer")


def _judge(evidence: Evidence) -> list[Claim]:
    if evidence.spans.is_empty():
        return []
    found = repeating_operations(evidence.spans)
    claims = [Claim("chatty", chatty_subject(*row), claimed=True) for row in found.iter_rows()]
    return [*claims, alarm("fixed-calls", accused=bool(claims))]


METHOD = Method(
    name="fixed-calls",
    title="Five equal queries in one request",
    explanation=(
        "One request with five equal queries makes an issue, however rare; calls to services in a loop are not looked "
        "at."
    ),
    detectors=("chatty", "alarm"),
    judge=_judge,
    needs_spans=True,
)
