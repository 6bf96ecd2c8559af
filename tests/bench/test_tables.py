"""Figures in words: with units, and nothing that is missing is passed over."""

from dataclasses import replace

import pytest

from tracelith.bench.busy import ActivityFigures
from tracelith.bench.ingest import IngestFigures, OverTime, Stored
from tracelith.bench.latencies import LatencyFigures
from tracelith.bench.load import LoadFigures
from tracelith.bench.payloads import PayloadShape
from tracelith.bench.storage import StorageFigures
from tracelith.cli.benchmark_tables import ingest_rows, load_rows, print_figures, storage_columns

LOAD = LoadFigures(
    acknowledged_spans=3_000_000,
    unsent_spans=0,
    refused_requests=0,
    last_refusal="",
    seconds=9.5,
    spans_per_second=315_789,
    acknowledge_ms=LatencyFigures(400.0, 700.0, 900.0),
    payload=PayloadShape(8192, 342.9, 7.5),
    in_flight=16,
    gzip=False,
    rate=None,
    sender_cpu_seconds_per_million=0.3,
)
STORED = Stored(
    spans=3_000_000,
    missing_spans=0,
    deleted_spans=0,
    unacknowledged_spans=0,
    database_mib=95.4,
    bytes_per_span=33.3,
)
RUN = IngestFigures(
    load=LOAD, cpu_seconds_per_million=3.9, peak_memory_mib=645.5, stored=STORED, over_time=None, activity=None
)


def test_every_figure_has_its_unit_and_the_shape_of_the_load_beside_it() -> None:
    assert ingest_rows(RUN) == {
        "Load": "as fast as it goes, up to 16 requests under way",
        "Request": "8,192 spans; 343 bytes and 7.5 attributes per span",
        "Acknowledged": "3,000,000 spans in 9.5 s",
        "Rate": "315,789 spans/s",
        "Acknowledged after": "p50 400.0 ms, p99 700.0 ms, at most 900.0 ms",
        "Refused": "0 requests",
        "Server CPU": "3.9 s per million spans",
        "Sender CPU": "0.3 s per million spans",
        "Server memory, peak": "646 MiB",
        "Stored": "3,000,000 spans, all acknowledged ones among them",
        "Database": "95.4 MiB, 33.3 bytes per span",
    }


def test_missing_spans_cry_out() -> None:
    said = ingest_rows(replace(RUN, stored=replace(STORED, missing_spans=12)))["Stored"]

    assert "12 ACKNOWLEDGED SPANS ARE MISSING" in said
    assert "all acknowledged" not in said


def test_what_retention_deleted_is_told_apart_and_gives_no_bytes_per_span() -> None:
    rows = ingest_rows(replace(RUN, stored=replace(STORED, deleted_spans=500, bytes_per_span=None)))

    assert "but 500 that retention deleted" in rows["Stored"]
    assert "per span" not in rows["Database"]


def test_a_receiver_that_refused_everything_has_no_latency_and_says_why() -> None:
    nothing = LatencyFigures(None, None, None)
    rows = load_rows(
        replace(LOAD, rate=1000, unsent_spans=7, refused_requests=3, last_refusal="full", acknowledge_ms=nothing)
    )

    assert rows["Refused"] == "3 requests, last: full"
    assert rows["Acknowledged after"].startswith("never")
    assert "7 spans could not be sent in time" in rows["Load"]


def test_a_long_busy_run_says_how_memory_went_and_what_was_done_beside() -> None:
    over_time = OverTime(
        first_memory_mib=400.0,
        last_memory_mib=401.0,
        memory_mib_per_hour=0.5,
        largest_database_mib=900.0,
        largest_wal_mib=16.0,
        first_p99_ms=40.0,
        last_p99_ms=41.0,
    )
    activity = ActivityFigures(
        history_spans=300_000,
        analysed_windows=90,
        analysing_share=0.9,
        pages=20,
        failed_pages=0,
        page_ms=LatencyFigures(30.0, 60.0, 60.0),
    )

    rows = ingest_rows(replace(RUN, over_time=over_time, activity=activity))

    assert rows["Memory over time"].endswith("+0.5 MiB/h after the first")
    assert rows["Analysed beside"] == "90 windows, 90% of the time, of 300,000 spans"
    assert rows["Pages beside"].startswith("20, 0 failed")


def test_two_runs_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    print_figures({}, {"idle": {"Rate": "9 spans/s"}, "busy": {"Rate": "7 spans/s", "Pages": "3"}}, "text")

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["idle", "busy"], ["Rate", "9", "spans/s", "7", "spans/s"], ["Pages", "3"]]


def test_every_file_has_the_same_rows_largest_column_first_and_they_add_up() -> None:
    small = StorageFigures(
        batch=512,
        traces="whole",
        keep_attributes=False,
        spans=500_000,
        bytes_per_span=20.0,
        columns={"span.trace_lo": 5.0, "span.span_id": 8.0, "span.status": 0.06},
        free_bytes_per_span=1.0,
        cpu_seconds_per_million=30.0,
    )
    kept = replace(small, keep_attributes=True, bytes_per_span=50.0, columns={**small.columns, "detail.text": 30.0})

    columns = storage_columns([small, kept])

    assert columns == {
        "512 spans\nwhole traces": {
            "Bytes per span": "20.0",
            "  detail.text": "0.00",
            "  span.span_id": "8.00",
            "  span.trace_lo": "5.00",
            "  free, used again": "1.00",
            "  the rest": "6.00",
            "CPU s per million": "30.0",
        },
        "512 spans\nall attributes": {
            "Bytes per span": "50.0",
            "  detail.text": "30.00",
            "  span.span_id": "8.00",
            "  span.trace_lo": "5.00",
            "  free, used again": "1.00",
            "  the rest": "6.00",
            "CPU s per million": "30.0",
        },
    }
