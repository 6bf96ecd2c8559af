"""``tracelith bench``: figures on this machine, with CPU seconds per million spans."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from tracelith.bench.analyze import bench_analyze
from tracelith.bench.ingest import bench_against, bench_ingest

__all__ = ["bench"]

bench = typer.Typer(no_args_is_help=True, help="Figures on this machine, with CPU seconds per million spans.")

Spans = Annotated[int, typer.Option(min=1000, help="About how many spans.")]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="How to print the figures.")]
Folder = Annotated[Path | None, typer.Option(help="Where the database goes; a temporary folder by default.")]


@bench.command("ingest")
def ingest(
    spans: Spans = 3_000_000,
    batch: Annotated[int, typer.Option(min=8, help="Spans per request.")] = 8192,
    in_flight: Annotated[int, typer.Option(min=1, help="Requests under way at once.")] = 16,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the requests.")] = False,
    against: Annotated[str | None, typer.Option(help="host:port of any other OTLP/gRPC receiver.")] = None,
    folder: Folder = None,
    output: Format = "text",
) -> None:
    """Spans acknowledged per second, end to end, generator and server on this machine."""
    if against:
        figures = bench_against(against, spans=spans, batch=batch, in_flight=in_flight, gzip=gzip)
    else:
        figures = asdict(bench_ingest(spans=spans, batch=batch, in_flight=in_flight, gzip=gzip, folder=folder))
    _print(figures, output, "Receiving")


@bench.command("analyze")
def analyze(spans: Spans = 2_000_000, output: Format = "text") -> None:
    """Spans per second through the forest and through all analyses."""
    _print(asdict(bench_analyze(spans=spans)), output, "Analysing")


def _print(figures: dict[str, Any], output: str, title: str) -> None:
    if output == "json":
        typer.echo(json.dumps(figures, indent=2))
        return
    table = Table("figure", "value", title=title)
    for name, value in _flatten(figures):
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else str(value))
    Console().print(table)


def _flatten(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows = []
    for name, value in figures.items():
        rows += _flatten(value, f"{prefix}{name}: ") if isinstance(value, dict) else [(prefix + name, value)]
    return rows
