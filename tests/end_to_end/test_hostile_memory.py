"""The whole server under hostile requests of every kind at once: its memory stays under a bound that can be argued.

The bound is a sum, each summand a limit of its own:

- the server at rest;
- gRPC messages being received: as many turns as there are (MAX_RECEIVING_BYTES), each with the message in pieces and,
  for the moment of handing over, in one;
- HTTP bodies being received (MAX_RECEIVING_BYTES of otlp_http), and once more what is handed over;
- bodies waiting for their commit (max_queued_bytes);
- what is decoded: a request of nothing but crumbs takes 28 times its size until it is refused.

``TRACELITH_HOSTILE_SECONDS=120`` makes it a long run.
"""

import gzip
import itertools
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx

from ingest.mutated_requests import BYTES, Field, join
from otlp import EXPORT, export_request, span
from serving import ServerProcess, server_process
from tracelith.config import Settings
from tracelith.ingest import otlp_grpc, otlp_http

SECONDS = float(os.environ.get("TRACELITH_HOSTILE_SECONDS", "4"))
TIMEOUT_S = 15.0
LIMIT = Settings.model_fields["max_request_bytes"].default
QUEUED = Settings.model_fields["max_queued_bytes"].default
CRUMBS_PER_BYTE = 28
MIB = 1 << 20

LARGEST = join(Field(100, BYTES, bytes(LIMIT - 100)))  # a request of nothing, as large as one may be
EMPTY_SPANS = join(Field(1, BYTES, join(Field(2, BYTES, b"\x12\0" * (LIMIT // 2 - 100)))))
EMPTY_ATTRIBUTES = join(Field(1, BYTES, join(Field(2, BYTES, join(Field(2, BYTES, b"\x4a\0" * (LIMIT // 2 - 100)))))))
EMPTY_JSON = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * (LIMIT // 3 - 100) + b"{}]}]}]}"
HONEST = export_request([span(trace=number, id=number) for number in range(1, 200)])


def bound_bytes(at_rest: int) -> int:
    turns = max(4, otlp_grpc.MAX_RECEIVING_BYTES // LIMIT)
    return at_rest + 2 * turns * LIMIT + 2 * otlp_http.MAX_RECEIVING_BYTES + QUEUED + CRUMBS_PER_BYTE * LIMIT


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the server is gone")


def gzipped(size: int) -> bytes:
    """Zeros that decompress to the size, in members of a hundred megabytes."""
    return gzip.compress(bytes(100 * MIB), 9) * (size // (100 * MIB))


def grpc_attack(server: ServerProcess, body: bytes) -> Callable[[], str]:
    channel = grpc.insecure_channel(
        server.grpc, compression=grpc.Compression.Gzip, options=[("grpc.use_local_subchannel_pool", 1)]
    )

    def send() -> str:
        try:
            channel.unary_unary(EXPORT)(body, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    return send


def http_attack(server: ServerProcess, body: bytes, media_type: str = "application/x-protobuf") -> Callable[[], str]:
    compressed = body if body[:2] == b"\x1f\x8b" else gzip.compress(body, 1)
    headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}

    def send() -> str:
        try:
            answer = httpx.post(
                f"http://{server.http}/v1/traces", content=compressed, headers=headers, timeout=TIMEOUT_S
            )
        except httpx.TransportError as error:
            return type(error).__name__
        return str(answer.status_code)

    return send


def http_unfinished(server: ServerProcess) -> Callable[[], str]:
    """A body of which all but the end comes, and then nothing for a while."""

    def pieces() -> Iterator[bytes]:
        yield LARGEST[: LIMIT - MIB]
        time.sleep(1)
        yield b"x"

    def send() -> str:
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            answer = httpx.post(f"http://{server.http}/v1/traces", content=pieces(), headers=headers, timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            return type(error).__name__
        return str(answer.status_code)

    return send


def test_memory_stays_bounded_under_hostile_requests_of_every_kind(tmp_path: Path) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    honest_s: list[float] = []
    with server_process(tmp_path / "hostile.duckdb") as server:
        assert grpc_attack(server, HONEST)() == "OK"
        at_rest = resident_bytes(server.process.pid)
        attacks = {
            "gRPC, largest": (12, grpc_attack(server, LARGEST)),
            "gRPC, bomb": (2, grpc_attack(server, bytes(100 * MIB))),
            "gRPC, empty spans": (2, grpc_attack(server, EMPTY_SPANS)),
            "HTTP, largest": (4, http_attack(server, LARGEST)),
            "HTTP, bomb of 10 GB": (2, http_attack(server, gzipped(10_000 * MIB))),
            "HTTP, empty attributes": (2, http_attack(server, EMPTY_ATTRIBUTES)),
            "HTTP, empty JSON spans": (2, http_attack(server, EMPTY_JSON, "application/json")),
            "HTTP, unfinished": (8, http_unfinished(server)),
        }
        ending = threading.Event()

        def repeat(name: str, send: Callable[[], str]) -> None:
            while not ending.is_set():
                outcomes[name, send()] += 1

        with ThreadPoolExecutor(sum(count for count, _ in attacks.values())) as clients:
            for name, (count, send) in attacks.items():
                for _ in range(count):
                    clients.submit(repeat, name, send)
            peak = at_rest
            honest = grpc_attack(server, HONEST)
            deadline = time.monotonic() + SECONDS
            for turn in itertools.count():
                if time.monotonic() > deadline:
                    break
                peak = max(peak, resident_bytes(server.process.pid))
                if turn % 100 == 0:
                    started = time.monotonic()
                    outcomes["honest", honest()] += 1
                    honest_s.append(time.monotonic() - started)
                time.sleep(0.005)
            ending.set()
        deadline = time.monotonic() + TIMEOUT_S
        while (served := honest()) != "OK" and time.monotonic() < deadline:
            time.sleep(0.5)
        alone = {name: send() for name, (_, send) in attacks.items()}
    print(f"at rest {at_rest >> 20} MiB, peak {peak >> 20} MiB, bound {bound_bytes(at_rest) >> 20} MiB")
    print(f"honest requests: median {statistics.median(honest_s):.2f} s, slowest {max(honest_s):.2f} s")
    print("\n".join(f"{name}: {what} {count}" for (name, what), count in sorted(outcomes.items())))

    assert served == "OK", "who sends sound requests is served as soon as the others have gone"
    assert peak < bound_bytes(at_rest)
    assert alone == {
        "gRPC, largest": "OK",
        "gRPC, bomb": "RESOURCE_EXHAUSTED",
        "gRPC, empty spans": "INVALID_ARGUMENT",
        "HTTP, largest": "200",
        "HTTP, bomb of 10 GB": "413",
        "HTTP, empty attributes": "400",
        "HTTP, empty JSON spans": "400",
        "HTTP, unfinished": "400",
    }
