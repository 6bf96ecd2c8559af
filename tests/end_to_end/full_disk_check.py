"""Fills the disk under a running server and makes room again; prints as JSON what senders and server saw.

A program of its own, so that a test can run it where a small disk is mounted and nobody else sees that:

    full_disk_check.py FOLDER mounted     FOLDER is a small disk
    full_disk_check.py FOLDER limited     files of the server may not grow beyond a size, as if the disk were small
"""

import json
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import duckdb
import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from otlp import BASE_NS, EXPORT, export_request, span
from serving import ServerProcess, server_process

SENDERS = 4
SPANS_PER_REQUEST = 256
BALLAST_BYTES = 5_000_000
LIMIT_BYTES = 2_500_000
LONGEST_S = 60.0
RECONNECT = [("grpc.max_reconnect_backoff_ms", 500)]


@dataclass
class Traffic:
    """What senders saw, and which requests they know to be stored."""

    numbers: count = field(default_factory=count)
    acknowledged: list[int] = field(default_factory=list)
    refused: Counter = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)


def body(number: int) -> bytes:
    first, now_ns = number * SPANS_PER_REQUEST + 1, time.time_ns() - BASE_NS
    return export_request(
        span(trace=number + 1, id=one, start_ns=now_ns, name=f"call {one % 50}")
        for one in range(first, first + SPANS_PER_REQUEST)
    )


def send(address: str, traffic: Traffic) -> None:
    with grpc.insecure_channel(address, options=RECONNECT) as channel:
        export = channel.unary_unary(EXPORT)
        for number in traffic.numbers:
            if traffic.stop.is_set():
                return
            try:
                export(body(number), timeout=20)
            except grpc.RpcError as error:
                traffic.refused[error.code().name] += 1
                time.sleep(0.05)
            else:
                traffic.acknowledged.append(number)


def wait_until(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LONGEST_S
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def fill(server: ServerProcess, folder: Path, how: str) -> Callable[[], None]:
    """Makes the disk small; returns what makes it larger again."""
    if how == "mounted":
        return (folder / "ballast").unlink
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def check(folder: Path, how: str) -> dict[str, object]:
    db, traffic, said = folder / "spans.duckdb", Traffic(), []
    if how == "mounted":
        (folder / "ballast").write_bytes(bytes(BALLAST_BYTES))
    with server_process(db) as server:
        reader = threading.Thread(target=lambda: said.extend(server.process.stdout), daemon=True)
        reader.start()
        make_room = fill(server, folder, how)
        senders = [threading.Thread(target=send, args=(server.grpc, traffic)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()

        filled = wait_until(lambda: bool(traffic.refused) and any("disk is full" in line for line in said))
        time.sleep(2)  # long enough for whatever a full disk leads to
        refused = traffic.refused.copy()
        before = len(traffic.acknowledged)
        make_room()
        recovered = wait_until(lambda: len(traffic.acknowledged) >= before + 20)
        traffic.stop.set()
        for sender in senders:
            sender.join(LONGEST_S)
        alive = server.process.poll() is None
        server.process.kill()
        server.process.wait(30)
        reader.join(30)
    with duckdb.connect(db) as connection:
        stored = {row[0] for row in connection.execute("SELECT span_id FROM span").fetchall()}
    known = [range(n * SPANS_PER_REQUEST + 1, (n + 1) * SPANS_PER_REQUEST + 1) for n in traffic.acknowledged]
    return {
        "filled": filled,
        "acknowledged_before": before,
        "refused": refused,
        "recovered": recovered,
        "alive": alive,
        "lost": sum(one not in stored for ids in known for one in ids),
        "said": "".join(said),
    }


if __name__ == "__main__":
    print(json.dumps(check(Path(sys.argv[1]), sys.argv[2])))
