"""Evidence for methods, from traces written as text and deployments in hours."""

from collections.abc import Mapping, Sequence

import polars as pl

from deployment_logs import HOUR_NS, MONDAY_NS, WEEK_HOURS
from tracelith.evaluate.claims import DEPLOYMENTS, SPANS, Claim, Evidence, Method
from traces import window_of

__all__ = ["claims_of", "deployed", "evidence_of", "spans_of"]


def spans_of(text: str) -> pl.DataFrame:
    """SPANS rows of traces in the notation of tests/traces.py; what a span calls is named by its system and object."""
    window = window_of(text)
    system, thing = pl.col("peer_system"), pl.col("peer_object")
    names = pl.when(thing == "").then(system).otherwise(pl.format("{} {}", system, thing))
    kinds = pl.when(pl.col("protocol") == "messaging").then(pl.lit("destination")).otherwise(pl.lit("datastore"))
    operations = window.operations.with_columns(pl.when(system != "").then(names).alias("peer")).with_columns(
        pl.when(pl.col("peer").is_not_null()).then(kinds).alias("peer_kind")
    )
    return (
        window.spans.join(window.resources.select("resource", "service"), on="resource")
        .join(operations.select("operation", "name", "kind", "peer", "peer_kind"), on="operation")
        .with_columns(trace_id=pl.format("{}", "trace_lo"), failed=pl.col("outcome") == 1)
        .select([pl.col(name).cast(kind) for name, kind in SPANS.items()])
        .sort("trace_id", "start_ns", "span_id")
    )


def deployed(hours: Mapping[str, Sequence[float]]) -> pl.DataFrame:
    """DEPLOYMENTS rows from hours after Monday 00:00."""
    rows = [(service, MONDAY_NS + round(hour * HOUR_NS)) for service, moments in hours.items() for hour in moments]
    return pl.DataFrame(rows, schema=DEPLOYMENTS, orient="row").sort("at_ns", "service")


def evidence_of(spans: str = "", deployments: pl.DataFrame | None = None, weeks: int = 26) -> Evidence:
    """Evidence over so many weeks, with a document that says nothing."""
    return Evidence(
        spans=spans_of(spans) if spans else pl.DataFrame(schema=SPANS),
        deployments=pl.DataFrame(schema=DEPLOYMENTS) if deployments is None else deployments,
        start_ns=MONDAY_NS,
        end_ns=MONDAY_NS + weeks * WEEK_HOURS * HOUR_NS,
        document={},
    )


def claims_of(method: Method, evidence: Evidence, detector: str) -> dict[str, Claim]:
    """The method's claims under this detector, by subject."""
    return {claim.subject: claim for claim in method.judge(evidence) if claim.detector == detector}
