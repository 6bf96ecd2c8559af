"""What receiving costs: the real receiver, committer and database file under load from another process."""

import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelith.bench.load import send_load
from tracelith.ingest.commit import GroupCommitter
from tracelith.ingest.otlp_grpc import GrpcReceiver
from tracelith.store import Store

__all__ = ["IngestFigures", "bench_against", "bench_ingest"]

LOAD_TIMEOUT_S = 1800.0

MAX_MESSAGE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """One run of the load.

    Attributes:
        load: what the generator saw (tracelith.bench.load.send_load).
        cpu_seconds_per_million: user and system time of the server's process per million acknowledged spans.
        peak_memory_mib: largest resident set of the server's process so far.
        bytes_per_span: size of the database file per stored span after a checkpoint.
    """

    load: dict[str, Any]
    cpu_seconds_per_million: float
    peak_memory_mib: float
    bytes_per_span: float


def bench_ingest(*, spans: int, batch: int, in_flight: int, gzip: bool, folder: Path | None = None) -> IngestFigures:
    """Figures of one run on this machine, generator and server sharing it.

    Args:
        folder: where the database file goes; a temporary folder without it.
    """
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        file = Path(temporary) / "bench.duckdb"
        with Store.open(file) as store:
            committer = GroupCommitter(store)
            receiver = GrpcReceiver(committer.submit, "127.0.0.1:0", max_message_bytes=MAX_MESSAGE_BYTES)
            before = _cpu_seconds()
            load = _run_generator(receiver.address, spans=spans, batch=batch, in_flight=in_flight, gzip=gzip)
            cpu = _cpu_seconds() - before
            receiver.stop()
            committer.stop()
        stored = load["acknowledged_spans"]
        return IngestFigures(
            load=load,
            cpu_seconds_per_million=round(cpu / stored * 1e6, 2),
            peak_memory_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            bytes_per_span=round(file.stat().st_size / stored, 1),
        )


def bench_against(address: str, *, spans: int, batch: int, in_flight: int, gzip: bool) -> dict[str, Any]:
    """The same load on any other OTLP/gRPC receiver; only what the sender can see."""
    return send_load(address, spans=spans, batch=batch, in_flight=in_flight, gzip=gzip)


def _run_generator(address: str, *, spans: int, batch: int, in_flight: int, gzip: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "tracelith.bench.load", address]
    command += ["--spans", str(spans), "--batch", str(batch), "--in-flight", str(in_flight)]
    finished = subprocess.run(  # noqa: S603 - our own module with numbers for arguments
        [*command, *(["--gzip"] if gzip else [])], capture_output=True, text=True, timeout=LOAD_TIMEOUT_S, check=False
    )
    if finished.returncode:
        raise RuntimeError(f"the load generator failed: {finished.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
