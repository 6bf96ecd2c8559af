"""``tracelith bench``: figures on this machine, with CPU seconds per million spans."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tracelith.bench.analyze import bench_analyze
from tracelith.bench.ingest import bench_against, bench_ingest
from tracelith.cli.options import Format

__all__ = ["measure_analyses", "measure_ingest"]


def measure_ingest(
    *, spans: int, batch: int, in_flight: int, gzip: bool, against: str | None, folder: Path | None, output: Format
) -> None:
    """Prints how fast spans are acknowledged, by this program or by the receiver at the address ``against``."""
    if against:
        figures = bench_against(against, spans=spans, batch=batch, in_flight=in_flight, gzip=gzip)
    else:
        figures = asdict(bench_ingest(spans=spans, batch=batch, in_flight=in_flight, gzip=gzip, folder=folder))
    _print(figures, output, "Receiving")


def measure_analyses(*, spans: int, output: Format) -> None:
    """Prints how fast spans go through the forest and through all analyses."""
    _print(asdict(bench_analyze(spans=spans)), output, "Analysing")


def _print(figures: dict[str, Any], output: Format, title: str) -> None:
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
