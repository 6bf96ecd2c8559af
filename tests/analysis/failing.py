"""What the analysis of failures says about written traces and small simulated systems."""

from collections.abc import Sequence
from typing import Any

from analysis.pipelines import analysed, batches
from tracelith.analysis.calls import ANALYSIS as CALLS
from tracelith.analysis.failure_propagation import ANALYSIS as FAILURES
from tracelith.analysis.running.engine import Engine
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.simulate import Simulation
from tracelith.store import Store
from traces import window_of

__all__ = ["FELLED", "FINE", "RETRIED", "concluded", "edge_of", "failures_of", "findings_of", "rules_of"]

FINE = """
shop SERVER GET /page 0..90ms
  shop CLIENT GET /price 10..40ms
    price SERVER GET /price 12..38ms
"""
"""A request that is answered."""
FELLED = """
shop SERVER GET /page 0..90ms !
  shop CLIENT GET /price 10..40ms !
    price SERVER GET /price 12..38ms !
"""
"""The same failed by whom it asks."""
RETRIED = """
shop SERVER GET /page 0..90ms
  shop CLIENT GET /price 10..20ms !
    price SERVER GET /price 12..18ms !
  shop CLIENT GET /price 30..40ms
    price SERVER GET /price 32..38ms
"""
"""A request that is answered when it asks again."""


def concluded(*traces: tuple[str, int]) -> dict[str, Any]:
    """The document of written traces, each so many times."""
    blocks = [text.strip("\n") for text, times in traces for _ in range(times)]
    return analysed([batches(window_of("\n---\n".join(blocks)))], analyses=(CALLS, FAILURES))


def failures_of(*traces: tuple[str, int]) -> dict[str, Any]:
    """The part ``failures`` of the same."""
    part: dict[str, Any] = concluded(*traces)["failures"]
    return part


def findings_of(simulation: Simulation) -> tuple[dict[str, Any], Sequence[dict[str, Any]]]:
    """The part ``failures`` and all findings about a simulated run."""
    start_ns, end_ns = (at_us * 1_000 for at_us in simulation.period_us)
    with Store.open(None) as store:
        engine = Engine(store, (CALLS, FAILURES))
        writer = SpanWriter(store)
        writer.write([describe(decode_requests(list(simulation.payloads())).raw)])
        engine.analyse_stale()
        assert engine.failures == {}
        document = dict(engine.conclude(None, start_ns, end_ns))
    assert [one["error"] for one in document["analyses"]] == [None, None]
    return document["failures"], document["findings"]


def edge_of(failures: dict[str, Any], caller: str, callee: str) -> dict[str, Any]:
    """One edge of the part."""
    return next(edge for edge in failures["edges"] if (edge["caller"], edge["callee"]) == (caller, callee))


def rules_of(findings: Sequence[dict[str, Any]], *, warnings: bool = True) -> set[str]:
    """Rules that accuse somebody; with warnings=False all of them."""
    return {one["rule"] for one in findings if not warnings or one["severity"] != "info"}
