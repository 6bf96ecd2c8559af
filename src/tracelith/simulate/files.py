"""A simulation as files: OTLP as JSON lines or protobuf, deployments.csv, truth.json and README.md."""

import csv
import errno
import gzip
import io
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

from tracelith.simulate.encoding import JSON, PROTOBUF, Encoding
from tracelith.simulate.rollouts import Deployment
from tracelith.simulate.simulation import Batch, Simulation

__all__ = ["FILE_FORMATS", "SPANS_PER_FILE", "FileFormat", "write"]

SPANS_PER_FILE = 250_000  # about 16 MB compressed
FileFormat = Literal["json", "protobuf"]

_QUICK = 2
"""zlib's level: a fifth larger than its default, 6, in well under half of the time, which is most of the time."""
_MEMBER_BYTES = 1 << 20
_COMPRESSORS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How requests become a file. suffix: of its name; framed: what of one request stands in the file."""

    suffix: str
    encoding: Encoding
    batch_spans: int
    framed: Callable[[bytes], tuple[bytes, ...]]


FILE_FORMATS: dict[FileFormat, _Layout] = {
    # What SDKs export at once by default; lines of a size that editors can show.
    "json": _Layout("otlp.jsonl.gz", JSON, 512, lambda request: (request, b"\n")),
    "protobuf": _Layout("otlp.pb.gz", PROTOBUF, 8_192, lambda request: (len(request).to_bytes(4), request)),
}


def write(
    simulation: Simulation,
    out: Path,
    *,
    file_format: FileFormat = "json",
    level: int = _QUICK,
    on_progress: Callable[[int, int], None] | None = None,
    spans_per_file: int = SPANS_PER_FILE,
) -> int:
    """Writes the simulation into the folder ``out``, created if need be; returns the number of spans.

    ``traces-0001.otlp.jsonl.gz`` and so on hold one OTLP request per line, ``traces-0001.otlp.pb.gz`` one after
    another with its length in four bytes before it: the two formats of the Collector's file exporter. Equal
    simulations give equal files: compressed files carry no time.

    What an earlier run left in the folder goes first, and ``truth.json`` comes last: a folder that has one holds a
    whole run and nothing else. A file that is not finished has another name.

    Args:
        file_format: of the traces. level: of zlib, 1 to 9.
        on_progress: called with requests done and requests in total.

    Raises:
        OSError: the folder cannot be written, or holds a README.md of somebody else.
    """
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)
    layout = FILE_FORMATS[file_format]
    spans = _write_traces(
        simulation, out, layout, level=level, on_progress=on_progress or _ignore, spans_per_file=spans_per_file
    )
    (out / "deployments.csv").write_text(_deployments(simulation.deployments), encoding="utf-8", newline="")
    (out / "README.md").write_text(simulation.system.readme, encoding="utf-8")
    (out / "truth.json").write_text(json.dumps(simulation.truth, indent=2) + "\n", encoding="utf-8")
    return spans


def _clear(out: Path) -> None:
    """Removes an earlier run: what is left of it would be read as part of this one."""
    truth, readme = out / "truth.json", out / "README.md"
    traces = [path for known in FILE_FORMATS.values() for path in out.glob(f"traces-*.{known.suffix}")]
    if readme.exists() and not (truth.exists() or traces):
        raise FileExistsError(errno.EEXIST, "not of a simulation; choose another folder than that of", str(readme))
    for path in (truth, readme, out / "deployments.csv", *traces):
        path.unlink(missing_ok=True)


def _write_traces(
    simulation: Simulation,
    out: Path,
    layout: _Layout,
    *,
    level: int,
    on_progress: Callable[[int, int], None],
    spans_per_file: int,
) -> int:
    total = number = 0
    batches = simulation.batches(layout.encoding, batch_spans=layout.batch_spans)
    batch: Batch | None = next(batches, None)
    while batch is not None:
        number += 1
        in_file = 0
        path = out / f"traces-{number:04d}.{layout.suffix}"
        with _compressed(path, level) as put:
            while batch is not None and in_file < spans_per_file:
                for part in layout.framed(batch.payload):
                    put(part)
                in_file += batch.spans
                on_progress(batch.traces_done, simulation.traces)
                batch = next(batches, None)
        total += in_file
    on_progress(simulation.traces, simulation.traces)  # the last ones may have left no spans
    return total


@contextmanager
def _finished(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes the one given once all is written, and vanishes otherwise."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say which file
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


@contextmanager
def _compressed(path: Path, level: int) -> Iterator[Callable[[bytes], None]]:
    """Takes bytes and writes them as gzip members of about a megabyte each, compressed beside the making of more."""
    with ExitStack() as stack:
        raw = stack.enter_context(stack.enter_context(_finished(path)).open("wb"))
        pool = stack.enter_context(ThreadPoolExecutor(_COMPRESSORS))
        under_way = deque[Future[bytes]]()
        member: list[bytes] = []
        size = 0

        def put(part: bytes) -> None:
            nonlocal size
            member.append(part)
            size += len(part)
            if size >= _MEMBER_BYTES:
                submit()

        def submit() -> None:
            nonlocal size
            under_way.append(pool.submit(gzip.compress, b"".join(member), level, mtime=0))
            member.clear()
            size = 0
            _drain(under_way, raw, leave=2 * _COMPRESSORS)

        yield put
        if member:
            submit()
        _drain(under_way, raw, leave=0)


def _drain(under_way: deque[Future[bytes]], raw: BinaryIO, *, leave: int) -> None:
    while len(under_way) > leave:
        raw.write(under_way.popleft().result())


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
