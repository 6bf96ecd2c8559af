"""The load generator, a process of its own: ``python -m tracelith.bench.load ADDRESS ...``.

Sends OTLP/gRPC exports with a bounded number in flight, counts a span only once it is acknowledged, and prints one
JSON object. It speaks plain OTLP, so the same load can be put on any other receiver.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import cycle, islice

import grpc
import numpy as np

from tracelith.bench.payloads import build_template, payloads

__all__ = ["main", "send_load"]

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

DISTINCT_BYTES = 256 << 20
"""Distinct batches made before the clock starts; a longer run sends them again."""

CALL_TIMEOUT_S = 60.0


def send_load(
    address: str, *, spans: int, batch: int, in_flight: int, gzip: bool = False, distinct_bytes: int = DISTINCT_BYTES
) -> dict[str, object]:
    """Sends about that many spans and reports what was acknowledged, in what time, with which latencies.

    Args:
        address: host:port of any OTLP/gRPC receiver. batch: spans per request. in_flight: requests under way at once.
    """
    template = build_template(batch, start_ns=time.time_ns() - 60_000_000_000)
    requests = max(1, round(spans / template.shape.spans))
    made = list(islice(payloads(template), min(requests, max(1, distinct_bytes // template.body.size))))
    options = [("grpc.max_send_message_length", -1)]
    compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
    with grpc.insecure_channel(address, options=options, compression=compression) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        latencies, refused, seconds = _send_all(channel, islice(cycle(made), requests), in_flight)
    acknowledged = len(latencies) * template.shape.spans
    p50, p99 = np.percentile(latencies, [50, 99]) if latencies else (float("nan"), float("nan"))
    return {
        "acknowledged_spans": acknowledged,
        "refused_requests": refused,
        "seconds": round(seconds, 3),
        "spans_per_second": round(acknowledged / seconds),
        "acknowledge_ms": {"p50": round(float(p50), 2), "p99": round(float(p99), 2)},
        "payload": asdict(template.shape),
        "in_flight": in_flight,
        "gzip": gzip,
    }


def _send_all(channel: grpc.Channel, bodies: Iterator[bytes], in_flight: int) -> tuple[list[float], int, float]:
    export = channel.unary_unary(EXPORT)
    slots = threading.Semaphore(in_flight)
    latencies: list[float] = []
    refused: list[str] = []
    started = time.perf_counter()

    def send(body: bytes) -> None:
        sent = time.perf_counter()

        def finished(call: grpc.Future) -> None:
            error = call.exception()
            if error is None:
                latencies.append((time.perf_counter() - sent) * 1e3)
            else:
                refused.append(str(error))
            slots.release()

        export.future(body, timeout=CALL_TIMEOUT_S).add_done_callback(finished)

    for body in bodies:
        slots.acquire()
        send(body)
    for _ in range(in_flight):
        slots.acquire()
    return latencies, len(refused), time.perf_counter() - started


def main() -> None:
    """Command line of the generator."""
    parser = argparse.ArgumentParser(description="Send OTLP load and print what was acknowledged, as JSON.")
    parser.add_argument("address")
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--gzip", action="store_true")
    arguments = parser.parse_args()
    result = send_load(
        arguments.address,
        spans=arguments.spans,
        batch=arguments.batch,
        in_flight=arguments.in_flight,
        gzip=arguments.gzip,
    )
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
