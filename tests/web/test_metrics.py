"""/metrics as Prometheus reads it."""

from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tracelith.ingest.limits import GROUPS, Cardinality
from tracelith.ingest.status import LATENCY_BOUNDS_S, RefusedSpans
from tracelith.present.receiving import Retention
from website import Site, receiving_site, serve

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(client) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_format_is_the_one_every_prometheus_reads_whatever_it_asks_for(client):
    for accepted in ("*/*", "application/openmetrics-text; version=1.0.0", "text/plain; version=x.y;;=", "\x7f"):
        answer = client.get("/metrics", headers={"Accept": accepted})

        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "# TYPE tracelith_ingest_spans_total counter" in answer.text
        assert "content-security-policy" in answer.headers


def test_every_figure_of_the_ingest_page_is_there_in_base_units(client):
    samples = scrape(client)

    def value(name: str, **labels: str) -> float:
        return samples[name, tuple(labels.items())]

    assert value("tracelith_ready") == 1
    assert value("tracelith_ingest_spans_total", result="accepted") == 5_540_000
    assert value("tracelith_ingest_spans_total", result="refused") == 42
    assert value("tracelith_ingest_refused_spans_total", reason="span_id must be 8 bytes and not all zero") == 42
    assert value("tracelith_ingest_requests_total", result="overloaded") == 3
    assert value("tracelith_ingest_requests_total", result="acknowledged") == 160
    assert value("tracelith_ingest_commits_total", result="stored") == 12_950
    assert value("tracelith_ingest_queue_bytes") == 3 * 2**20
    assert value("tracelith_ingest_queue_limit_bytes") == 64 * 2**20
    assert value("tracelith_ingest_last_commit_timestamp_seconds") == pytest.approx(1_772_409_599.6)
    assert value("tracelith_ingest_commit_seconds_sum") == pytest.approx(103.4)
    assert value("tracelith_database_bytes") == 210 * 2**20
    assert value("tracelith_windows_waiting") == 2
    assert value("tracelith_ingest_http_answers_total", status="413") == 4
    assert value("tracelith_ingest_grpc_answers_total", code="RESOURCE_EXHAUSTED") == 5
    assert value("tracelith_known_rows", kind="operations") == 812
    assert value("tracelith_deleted_spans_total", reason="age") == 81_000
    assert value("tracelith_database_limit_bytes") == 20_000_000_000
    assert value("process_resident_memory_bytes") > 0
    assert value("process_cpu_seconds_total") > 0


def test_the_histogram_counts_up_to_all_acknowledgements(client):
    samples = scrape(client)

    name = "tracelith_ingest_acknowledgement_seconds"
    counts = [samples[f"{name}_bucket", (("le", str(bound)),)] for bound in (*LATENCY_BOUNDS_S, "+Inf")]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == samples[f"{name}_count", ()] == 160
    assert samples[f"{name}_sum", ()] == pytest.approx(8.9)


def test_counters_start_with_zero_so_that_their_first_rise_is_seen(client, site):
    site.received = receiving_site(http_answers={}, grpc_answers={}, cardinality=Cardinality(0, 0, {}))

    samples = scrape(client)

    for status in ("400", "413", "503"):
        assert samples["tracelith_ingest_http_answers_total", (("status", status),)] == 0
    for code in ("OK", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"):
        assert samples["tracelith_ingest_grpc_answers_total", (("code", code),)] == 0
    for group in GROUPS:
        assert samples["tracelith_ingest_folded_spans_total", (("text", group),)] == 0


def test_what_is_not_known_is_left_out_and_not_zero(client, site):
    usual = receiving_site(problem="the disk is full", database=None, retention=Retention(7.0, 400.0))
    site.received = replace(usual, status=replace(usual.status, last_commit_at=None))

    samples = scrape(client)

    names = {name for name, _ in samples}
    assert samples["tracelith_ready", ()] == 0
    assert "tracelith_ingest_queue_bytes" in names
    assert not {name for name in names if name.startswith(("tracelith_database", "tracelith_retention"))}
    assert "tracelith_ingest_last_commit_timestamp_seconds" not in names


def test_a_reason_cannot_break_out_of_its_label(client, site):
    hostile = 'a "quoted" \\ reason\nwith lines} 1\ntracelith_ready 7'
    site.received = receiving_site(refused=(RefusedSpans(hostile, 9, 0.0, 1.0),))

    samples = scrape(client)

    assert samples["tracelith_ingest_refused_spans_total", (("reason", hostile),)] == 9
    assert samples["tracelith_ready", ()] == 1


def test_no_label_has_many_values_or_one_from_telemetry(client, site):
    flood = {(f"service {number}", "span names"): 1 for number in range(5_000)}
    site.received = receiving_site(cardinality=Cardinality(9, 9, flood))

    samples = scrape(client)

    assert samples["tracelith_ingest_folded_spans_total", (("text", "span names"),)] == 5_000
    assert len(samples) < 150
    labels = {name for _, labels in samples for name, _ in labels}
    assert labels <= {"result", "reason", "le", "version", "kind", "status", "code", "text"}


def test_two_applications_in_one_process_do_not_share_their_figures(site):
    other = Site(site.answer, received=receiving_site(problem="elsewhere"))

    with serve(site.app()) as first, serve(other.app()) as second:
        values = [httpx.get(f"{address}/metrics", trust_env=False).text for address in (first, second)]

    assert "tracelith_ready 1.0" in values[0]
    assert "tracelith_ready 0.0" in values[1]
