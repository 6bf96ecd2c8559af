"""``/metrics``: the server's own figures for Prometheus, read at each scrape.

The registry is one of our own with nothing global in it. Labels take few values and none of them comes from telemetry:
reasons of refusals are our own sentences, and limited in number.
"""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from tracelith.ingest.limits import GROUPS, Cardinality
from tracelith.ingest.status import LATENCY_BOUNDS_S, IngestStatus, Latencies
from tracelith.present.receiving import GRPC_MEANINGS, MEANINGS, Receiving, Retention
from tracelith.web.sources import StatusSource

__all__ = ["metrics_router"]

_NO_GRPC_ANSWERS = dict.fromkeys(("OK", *GRPC_MEANINGS), 0)
_NO_ANSWERS = dict.fromkeys((200, *MEANINGS), 0)
"""Prometheus does not see a counter rise that was not there before, so those known beforehand start with zero."""


def metrics_router(source: StatusSource, version: str) -> APIRouter:
    """/metrics, in the text format that every Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Receiver(source, version))
    ProcessCollector(registry=registry)  # memory, CPU, open files
    router = APIRouter(tags=["probes"])

    @router.get("/metrics", summary="Figures of the server for Prometheus", response_class=Response)
    def metrics() -> Response:
        # Always this format: which one an Accept header asks for would be one more thing to get wrong.
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return router


class _Receiver(Collector):
    """Turns one snapshot into metric families. Subclassing is what the library asks of a collector."""

    def __init__(self, source: StatusSource, version: str) -> None:
        self._source = source
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Nothing: otherwise registering would take a snapshot for the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, as of now."""
        receiving = self._source.receiving()
        yield InfoMetricFamily("tracelith_build", "The running version.", {"version": self._version})
        yield _gauge("tracelith_ready", "Whether spans are taken.", float(not receiving.problem))
        yield from _counters(receiving)
        yield from _durations(receiving)
        yield from _queue(receiving.status)
        yield from _storage(receiving)
        yield from _cardinality(receiving.cardinality)


def _counters(receiving: Receiving) -> Iterator[Metric]:
    status = receiving.status
    yield _counter(
        "tracelith_ingest_requests",
        "Requests that were answered, by what became of them. Only invalid ones are not repeated by their senders.",
        "result",
        {
            "acknowledged": receiving.latencies.requests,
            "invalid": status.invalid_requests,
            "overloaded": status.overloaded_requests,
            "failed": status.failed_requests,
        },
    )
    yield _counter(
        "tracelith_ingest_spans",
        "Spans of acknowledged requests: stored durably, or refused.",
        "result",
        {"accepted": status.accepted_spans, "refused": status.rejected_spans},
    )
    yield _counter(
        "tracelith_ingest_refused_spans",
        "Refused spans by reason.",
        "reason",
        {one.reason: one.spans for one in receiving.refused},
    )
    yield _counter(
        "tracelith_ingest_http_answers",
        "Answers of the OTLP/HTTP receiver by status; 413 and 415 are seen nowhere else.",
        "status",
        {str(status): answers for status, answers in (_NO_ANSWERS | dict(receiving.http_answers)).items()},
    )
    yield _counter(
        "tracelith_ingest_grpc_answers",
        "Answers of the OTLP/gRPC receiver by status; requests over the limit are CANCELLED or RESOURCE_EXHAUSTED.",
        "code",
        _NO_GRPC_ANSWERS | dict(receiving.grpc_answers),
    )
    yield _counter(
        "tracelith_ingest_commits",
        "Transactions that stored spans, or failed to.",
        "result",
        {"stored": status.commits, "failed": status.failed_commits},
    )


def _durations(receiving: Receiving) -> Iterator[Metric]:
    yield _histogram(
        "tracelith_ingest_acknowledgement_seconds",
        "Time from the arrival of a request to its acknowledgement, which follows its durable commit.",
        receiving.latencies,
    )
    yield SummaryMetricFamily(
        "tracelith_ingest_commit_seconds",
        "Time that transactions took.",
        count_value=receiving.status.commits,
        sum_value=receiving.status.commits_s,
    )


def _queue(status: IngestStatus) -> Iterator[Metric]:
    yield _gauge("tracelith_ingest_queue_bytes", "Requests received and not acknowledged.", status.queued_bytes)
    yield _gauge("tracelith_ingest_queue_limit_bytes", "Beyond this, requests are sent away.", status.max_queued_bytes)
    if status.last_commit_at is not None:
        name = "tracelith_ingest_last_commit_timestamp_seconds"
        yield _gauge(name, "When the last transaction was durable.", status.last_commit_at)


def _storage(receiving: Receiving) -> Iterator[Metric]:
    """What is not known is left out, so that it cannot be taken for zero."""
    if (size := receiving.database) is not None:
        yield _gauge("tracelith_database_bytes", "Size of the database file and its log.", size.bytes)
        yield _gauge("tracelith_database_used_bytes", "Of these, what is not free to be used again.", size.used_bytes)
        yield _gauge("tracelith_database_spans", "Raw spans kept.", size.spans)
    yield _gauge("tracelith_windows_waiting", "Windows that are to be analysed.", receiving.waiting.windows)
    if receiving.waiting.oldest_ns is not None:
        name = "tracelith_oldest_waiting_window_timestamp_seconds"
        yield _gauge(name, "Start of the oldest window that is to be analysed.", receiving.waiting.oldest_ns / 1e9)
    yield from _retention(receiving.retention)


def _retention(retention: Retention) -> Iterator[Metric]:
    yield _counter(
        "tracelith_deleted_spans",
        "Raw spans deleted for their age, or for the size of the database.",
        "reason",
        {"age": retention.too_old, "size": retention.too_large},
    )
    if retention.last_at is not None:
        name = "tracelith_retention_last_run_timestamp_seconds"
        yield _gauge(name, "When what is past its time was last looked for.", retention.last_at)
    if retention.max_bytes is not None:
        yield _gauge("tracelith_database_limit_bytes", "Size that the database is kept below.", retention.max_bytes)


def _cardinality(cardinality: Cardinality) -> Iterator[Metric]:
    known = GaugeMetricFamily("tracelith_known_rows", "Different operations and resources kept.", labels=["kind"])
    most = GaugeMetricFamily("tracelith_known_rows_limit", "Near this, new ones are folded.", labels=["kind"])
    for kind in ("operations", "resources"):
        known.add_metric([kind], getattr(cardinality, kind))
        most.add_metric([kind], getattr(cardinality, f"most_{kind}"))
    yield known
    yield most
    yield _counter(
        "tracelith_ingest_folded_spans",
        "Spans of which some text is counted as (other), by what it is.",
        "text",
        dict.fromkeys(GROUPS, 0) | cardinality.by_group(),
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value)


def _counter(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _histogram(name: str, help_text: str, latencies: Latencies) -> Metric:
    upto, buckets = 0, list[tuple[str, float]]()
    for bound, requests in zip((*LATENCY_BOUNDS_S, "+Inf"), latencies.counts, strict=True):
        upto += requests
        buckets.append((str(bound), upto))
    return HistogramMetricFamily(name, help_text, buckets=buckets, sum_value=latencies.sum_s)
