"""``tracelith simulate``: a system with planted truth, written as ordinary OTLP."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from tracelith.cli.options import parse_time_ns
from tracelith.cli.workspace import bar
from tracelith.simulate import simulate, write

__all__ = ["write_system"]


def write_system(system: str, out: Path, *, seed: int, weeks: int, traces: int, until: str | None) -> None:
    """Writes the simulated system into the folder and says how much there is."""
    end = None if until is None else datetime.fromtimestamp(parse_time_ns(until, option="--until") / 1e9, UTC)
    simulation = simulate(system, seed=seed, weeks=weeks, traces=traces, until=end)
    with bar("simulating") as advance:
        spans = write(simulation, out, on_progress=advance)
    typer.echo(f"{spans:,} spans of {traces:,} requests and {len(simulation.deployments)} deployments in {out}")
