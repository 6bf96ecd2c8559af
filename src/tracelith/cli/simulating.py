"""``tracelith simulate``: a system with planted truth, written as ordinary OTLP."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from tracelith.cli.options import parse_time_ns
from tracelith.cli.progress import bar
from tracelith.model.errors import InputError
from tracelith.simulate import Defects, FileFormat, HeadSampling, TailSampling, simulate, write
from tracelith.simulate.systems import RANDOM_SYSTEMS, draw_random
from tracelith.simulate.topology import System

__all__ = ["sampling_defects", "write_system"]


def write_system(
    system: str,
    out: Path,
    *,
    seed: int,
    weeks: int,
    traces: int,
    until: str | None,
    train_share: float | None,
    defects: Defects,
    file_format: FileFormat,
) -> None:
    """Writes the simulated system into the folder and says how much there is.

    Raises:
        InputError: a share of releases is asked of a system whose releases are part of its story.
    """
    end = None if until is None else datetime.fromtimestamp(parse_time_ns(until, option="--until") / 1e9, UTC)
    simulation = simulate(
        _drawn(system, seed, train_share), seed=seed, weeks=weeks, traces=traces, until=end, defects=defects
    )
    with bar("simulating") as advance:
        spans = write(simulation, out, file_format=file_format, on_progress=advance)
    typer.echo(f"{spans:,} spans of {traces:,} requests and {len(simulation.deployments)} deployments in {out}")


def _drawn(system: str, seed: int, train_share: float | None) -> str | System:
    if train_share is None:
        return system
    if system not in RANDOM_SYSTEMS:
        raise InputError(
            f"--train is for random systems ({', '.join(RANDOM_SYSTEMS)}); "
            f"how {system} is released is part of its story"
        )
    return draw_random(system, seed, train_share)


def sampling_defects(share: float | None, *, unknown: bool, keep_slow_ms: float | None) -> Defects:
    """What the options of sampling ask for.

    Raises:
        InputError: one of them says nothing without another.
    """
    if share is None:
        if unknown:
            raise InputError("--sampling-unknown says how --sampling is written; give its probability, as in .1")
        if keep_slow_ms is not None:
            raise InputError(
                "--keep-slow needs --sampling: the share kept of the traces that are fast and did not fail"
            )
        return Defects()
    if keep_slow_ms is not None:
        return Defects(tail=TailSampling(slower_than_ms=keep_slow_ms, base=share))
    return Defects(head=HeadSampling(share, threshold_written=not unknown))
