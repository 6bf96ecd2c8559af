"""``tracelith bench``: figures on this machine, with CPU seconds per million spans."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import grpc

from tracelith.bench.analyze import bench_analyze
from tracelith.bench.ingest import IngestFigures, Watch, bench_against, bench_ingest
from tracelith.bench.load import LoadFigures, LoadPlan
from tracelith.bench.storage import bench_storage
from tracelith.cli.benchmark_tables import analyze_rows, ingest_rows, load_rows, print_figures, storage_columns
from tracelith.cli.interrupts import ended_by_sigterm
from tracelith.cli.options import Format
from tracelith.cli.progress import bar
from tracelith.model.errors import InputError

__all__ = ["measure_analyses", "measure_ingest", "measure_storage"]


def measure_ingest(
    plan: LoadPlan,
    *,
    against: str | None,
    folder: Path | None,
    options: Sequence[str],
    busy: bool,
    samples: Path | None,
    sample_every_s: float,
    output: Format,
) -> int:
    """Prints how fast spans are acknowledged, by this program or by the receiver at the address ``against``.

    Returns:
        The exit code: 0, or 1 if acknowledged spans are missing in the end.

    Raises:
        InputError: an option is not setting=value, or nobody listens at the address.
    """
    pairs = _pairs(options)

    def measure(title: str, *, busy: bool) -> IngestFigures:
        with bar(title) as advance:
            watch = Watch(samples, sample_every_s, advance)
            return bench_ingest(plan, folder=folder, options=pairs, watch=watch, busy=busy)

    with ended_by_sigterm():
        if against:
            with bar("sending") as advance:
                load = _measure_other(against, plan, Watch(on_progress=advance))
            print_figures(asdict(load), {"": load_rows(load)}, output)
            return 0
        runs = {"idle": measure("receiving", busy=False)}
        if busy:
            runs["busy"] = measure("receiving while analysing", busy=True)
    figures = {name: asdict(run) for name, run in runs.items()} if busy else asdict(runs["idle"])
    print_figures(figures, {name if busy else "": ingest_rows(run) for name, run in runs.items()}, output)
    return int(any(run.stored.missing_spans for run in runs.values()))


def measure_analyses(*, spans: int, output: Format) -> None:
    """Prints how fast spans go through the forest and through all analyses."""
    with bar("analysing") as advance:
        figures = bench_analyze(spans=spans, on_progress=advance)
    print_figures(asdict(figures), {"": analyze_rows(figures)}, output)


def measure_storage(*, spans: int, folder: Path | None, output: Format) -> None:
    """Prints how many bytes a span takes at rest, by column."""
    with bar("storing") as advance:
        files = bench_storage(spans=spans, folder=folder, on_progress=advance)
    print_figures([asdict(one) for one in files], storage_columns(files), output)


def _measure_other(address: str, plan: LoadPlan, watch: Watch) -> LoadFigures:
    try:
        return bench_against(address, plan, watch)
    except grpc.FutureTimeoutError as error:
        raise InputError(f"--against: no OTLP/gRPC receiver answers at {address}") from error


def _pairs(options: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"--serve-option: '{option}' is not setting=value, for example span_days=1")
        pairs[key.strip().replace("-", "_")] = value
    return pairs
