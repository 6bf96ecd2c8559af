"""A simulation as files: OTLP JSON lines, deployments.csv, truth.json and README.md."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tracelith.simulate.encoding import JSON
from tracelith.simulate.rollouts import Deployment
from tracelith.simulate.simulation import Simulation

__all__ = ["SPANS_PER_FILE", "write"]

SPANS_PER_FILE = 250_000  # about 13 MB compressed
_LINE_SPANS = 512  # what SDKs export at once by default; a trace's ids then often recur within gzip's 32 KiB window


def write(
    simulation: Simulation,
    out: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    spans_per_file: int = SPANS_PER_FILE,
) -> int:
    """Writes the simulation into the folder ``out``, created if need be; returns the number of spans.

    ``traces-0001.otlp.jsonl.gz`` and so on hold one OTLP request per line, the format of the Collector's file exporter.
    Equal simulations give equal files: compressed files carry no time.

    Args:
        on_progress: called with requests done and requests in total.

    Raises:
        OSError: the folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    spans = _write_traces(simulation, out, on_progress or _ignore, spans_per_file)
    (out / "deployments.csv").write_text(_deployments(simulation.deployments), encoding="utf-8", newline="")
    (out / "truth.json").write_text(json.dumps(simulation.truth, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(simulation.system.readme, encoding="utf-8")
    return spans


def _write_traces(
    simulation: Simulation, out: Path, on_progress: Callable[[int, int], None], spans_per_file: int
) -> int:
    total = number = 0
    batches = simulation.batches(JSON, batch_spans=_LINE_SPANS)
    batch = next(batches, None)
    while batch is not None:
        number += 1
        in_file = 0
        with _lines(out / f"traces-{number:04d}.otlp.jsonl.gz") as write_line:
            while batch is not None and in_file < spans_per_file:
                write_line(batch.payload)
                in_file += batch.spans
                on_progress(batch.traces_done, simulation.traces)
                batch = next(batches, None)
        total += in_file
    for stale in sorted(out.glob("traces-*.otlp.jsonl.gz"))[number:]:
        stale.unlink()  # of an earlier, longer run: it would be read as part of this one
    return total


@contextmanager
def _lines(path: Path) -> Iterator[Callable[[bytes], None]]:
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as file:

        def write_line(line: bytes) -> None:
            file.write(line + b"\n")

        yield write_line


def _ignore(_done: int, _total: int) -> None:
    """No progress is shown."""


def _deployments(rows: tuple[Deployment, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["timestamp", "service", "version"])
    for row in rows:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.at_us)
        writer.writerow([moment.strftime("%Y-%m-%dT%H:%M:%SZ"), row.service, row.version])
    return text.getvalue()
