"""The figures of ``tracelith bench`` as JSON, or as a table in words with units."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tracelith.bench.analyze import AnalyzeFigures, Stage
from tracelith.bench.busy import ActivityFigures
from tracelith.bench.ingest import IngestFigures, OverTime, Stored
from tracelith.bench.latencies import LatencyFigures
from tracelith.bench.load import LoadFigures
from tracelith.bench.storage import StorageFigures
from tracelith.cli.options import Format

__all__ = ["Rows", "analyze_rows", "ingest_rows", "load_rows", "print_figures", "storage_columns"]

Rows = dict[str, str]
"""What is said of one run, by label."""

SHOWN_BYTES = 0.1


def print_figures(figures: Mapping[str, Any] | Sequence[Any], runs: Mapping[str, Rows], output: Format) -> None:
    """Prints the figures as JSON, or the rows of each run side by side."""
    if output == "json":
        typer.echo(json.dumps(figures, indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=len(runs) > 1)
    table.add_column("", style="bold", no_wrap=True)
    for name in runs:
        table.add_column(name, overflow="fold")
    for label in dict.fromkeys(label for rows in runs.values() for label in rows):
        table.add_row(label, *(rows.get(label, "") for rows in runs.values()))
    Console(soft_wrap=len(runs) == 1).print(table)


def ingest_rows(run: IngestFigures) -> Rows:
    """What the server did under the load, and what its file held afterwards."""
    load = load_rows(run.load)
    sender = load.pop("Sender CPU")
    return {
        **load,
        "Server CPU": f"{run.cpu_seconds_per_million} s per million spans",
        "Sender CPU": sender,
        "Server memory, peak": f"{run.peak_memory_mib:,.0f} MiB",
        **_stored_rows(run.stored),
        **(_over_time_rows(run.over_time) if run.over_time else {}),
        **(_activity_rows(run.activity) if run.activity else {}),
    }


def load_rows(load: LoadFigures) -> Rows:
    """What the sender saw."""
    way = f"steady, {load.rate:,} spans/s" if load.rate else "as fast as it goes"
    if load.unsent_spans:
        way += f"; {load.unsent_spans:,} spans could not be sent in time"
    refused = f"{load.refused_requests:,} requests" + (f", last: {load.last_refusal}" if load.last_refusal else "")
    return {
        "Load": f"{way}, up to {load.in_flight} requests under way{', gzip' if load.gzip else ''}",
        "Request": f"{load.payload.spans:,} spans; {load.payload.bytes_per_span:.0f} bytes and "
        f"{load.payload.attributes_per_span:.1f} attributes per span",
        "Acknowledged": f"{load.acknowledged_spans:,} spans in {load.seconds:,.1f} s",
        "Rate": f"{load.spans_per_second:,} spans/s",
        "Acknowledged after": _latency(load.acknowledge_ms) + (" from the time due" if load.rate else ""),
        "Refused": refused,
        "Sender CPU": f"{load.sender_cpu_seconds_per_million} s per million spans",
    }


def _stored_rows(stored: Stored) -> Rows:
    said = f"{stored.spans:,} spans"
    if stored.missing_spans:
        said += f", {stored.missing_spans:,} ACKNOWLEDGED SPANS ARE MISSING"
    else:
        said += ", all acknowledged ones among them"
    if stored.deleted_spans:
        said += f" but {stored.deleted_spans:,} that retention deleted"
    if stored.unacknowledged_spans:
        said += f", {stored.unacknowledged_spans:,} more than were acknowledged"
    per_span = f", {stored.bytes_per_span} bytes per span" if stored.bytes_per_span else ""
    return {"Stored": said, "Database": f"{stored.database_mib:,.1f} MiB{per_span}"}


def _over_time_rows(run: OverTime) -> Rows:
    return {
        "Memory over time": f"{run.first_memory_mib:,.0f} MiB in the first quarter, {run.last_memory_mib:,.0f} MiB in "
        f"the last, {run.memory_mib_per_hour:+,.1f} MiB/h after the first",
        "p99 over time": f"{run.first_p99_ms:,.1f} ms in the first quarter, {run.last_p99_ms:,.1f} ms in the last",
        "Largest files": f"database {run.largest_database_mib:,.1f}, write-ahead log {run.largest_wal_mib:,.1f} MiB",
    }


def _activity_rows(activity: ActivityFigures) -> Rows:
    return {
        "Analysed beside": f"{activity.analysed_windows:,} windows, {activity.analysing_share:.0%} of the time, "
        f"of {activity.history_spans:,} spans",
        "Pages beside": f"{activity.pages:,}, {activity.failed_pages:,} failed; {_latency(activity.page_ms)}",
    }


def analyze_rows(figures: AnalyzeFigures) -> Rows:
    """What analysing cost."""
    return {
        "Processes": f"{figures.processes}",
        "Forest": f"{figures.forest_spans_per_second:,} spans/s in one thread",
        **_stage_rows("Headline", figures.headline),
        **_stage_rows("Everything", figures.everything),
        "Concluding": f"{figures.conclude_seconds} s",
    }


def _stage_rows(name: str, stage: Stage) -> Rows:
    return {
        name: f"{stage.spans_per_second:,} spans/s from stored spans to stored facts, {stage.spans:,} spans",
        f"{name} CPU": f"{stage.cpu_seconds_per_million} s per million spans",
        f"{name} memory, peak": f"{stage.peak_memory_mib:,.0f} MiB in all processes",
    }


def _latency(figures: LatencyFigures) -> str:
    if figures.p50 is None:
        return "never"
    return f"p50 {figures.p50:,.1f} ms, p99 {figures.p99:,.1f} ms, at most {figures.max:,.1f} ms"


def storage_columns(files: Sequence[StorageFigures]) -> dict[str, Rows]:
    """What a span takes in each file, under a name of two lines for the file; the same rows for all."""
    largest: dict[str, float] = {}
    for file in files:
        for column, size in file.columns.items():
            largest[column] = max(size, largest.get(column, 0.0))
    shown = sorted((column for column in largest if largest[column] >= SHOWN_BYTES), key=lambda one: -largest[one])
    return {f"{file.batch:,} spans\n{_kind(file)}": _storage_rows(file, shown) for file in files}


def _kind(file: StorageFigures) -> str:
    return "all attributes" if file.keep_attributes else f"{file.traces} traces"


def _storage_rows(file: StorageFigures, shown: Sequence[str]) -> Rows:
    sizes = {column: file.columns.get(column, 0.0) for column in shown}
    return {
        "Bytes per span": f"{file.bytes_per_span:.1f}",
        **{f"  {column}": f"{size:.2f}" for column, size in sizes.items()},
        "  free, used again": f"{file.free_bytes_per_span:.2f}",
        "  the rest": f"{max(0.0, file.bytes_per_span - sum(sizes.values()) - file.free_bytes_per_span):.2f}",
        "CPU s per million": f"{file.cpu_seconds_per_million:.1f}",
    }
