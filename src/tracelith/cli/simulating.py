"""``tracelith simulate``: a system with planted truth, written as ordinary OTLP."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tracelith.cli.options import parse_time_ns
from tracelith.cli.workspace import bar
from tracelith.simulate import DEFAULT_TRACES, DEFAULT_WEEKS, SYSTEMS, write
from tracelith.simulate import simulate as simulate_system

__all__ = ["simulate"]

SystemName = StrEnum("SystemName", {name.upper(): name for name in SYSTEMS})  # type: ignore[misc]  # names come from the registry of systems


def simulate(
    system: Annotated[SystemName, typer.Argument(help="Which system.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; created if need be.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    weeks: Annotated[int, typer.Option(min=1, help="Length of the period.")] = DEFAULT_WEEKS,
    traces: Annotated[int, typer.Option(min=1, help="Requests from outside.")] = DEFAULT_TRACES,
    until: Annotated[str | None, typer.Option(help="End of the period, ISO time (UTC); now by default.")] = None,
) -> None:
    """Write a simulated system as OTLP, with deployments.csv and the planted truth beside it."""
    end = None if until is None else datetime.fromtimestamp(parse_time_ns(until, option="--until") / 1e9, UTC)
    simulation = simulate_system(str(system), seed=seed, weeks=weeks, traces=traces, until=end)
    with bar("simulating") as advance:
        spans = write(simulation, out, on_progress=advance)
    typer.echo(f"{spans:,} spans of {traces:,} requests and {len(simulation.deployments)} deployments in {out}")
