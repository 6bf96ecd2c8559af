"""``tracelith bench``: figures on this machine, with CPU seconds per million spans."""

import json
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tracelith.bench.analyze import bench_analyze
from tracelith.bench.ingest import Watch, bench_against, bench_ingest
from tracelith.bench.load import LoadPlan
from tracelith.cli.options import Format
from tracelith.cli.workspace import bar
from tracelith.model.errors import InputError

__all__ = ["measure_analyses", "measure_ingest"]


def measure_ingest(
    plan: LoadPlan,
    *,
    against: str | None,
    folder: Path | None,
    options: Sequence[str],
    samples: Path | None,
    sample_every_s: float,
    output: Format,
) -> int:
    """Prints how fast spans are acknowledged, by this program or by the receiver at the address ``against``.

    Returns:
        The exit code: 0, or 1 if acknowledged spans are missing in the end.

    Raises:
        InputError: an option is not key=value.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server must not outlive the benchmark
    with bar("sending") as advance:
        watch = Watch(samples=samples, sample_every_s=sample_every_s, on_progress=advance)
        if against:
            figures, missing = asdict(bench_against(against, plan, watch)), 0
        else:
            measured = bench_ingest(plan, folder=folder, options=_pairs(options), watch=watch)
            figures, missing = asdict(measured), measured.stored.missing_spans
    _print(figures, output, "Receiving")
    return 1 if missing else 0


def measure_analyses(*, spans: int, output: Format) -> None:
    """Prints how fast spans go through the forest and through all analyses."""
    _print(asdict(bench_analyze(spans=spans)), output, "Analysing")


def _pairs(options: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"--serve-option: '{option}' is not setting=value, for example span_days=1")
        pairs[key.strip().replace("-", "_")] = value
    return pairs


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
