"""A running server for tests: in this process on free ports, or as a process of its own that can be killed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tracelith.app import Application
from tracelith.config import Settings

__all__ = ["ServerProcess", "application", "server_command", "server_environment", "server_process"]

ANY_PORT = "127.0.0.1:0"
STARTUP_LINES = 20


@contextmanager
def application(folder: Path, **settings: object) -> Iterator[Application]:
    """The composed server in this process, on free loopback ports; it analyses a window as soon as it is asked."""
    values: dict[str, object] = {
        "db": folder / "tracelith.duckdb",
        "grpc": ANY_PORT,
        "http": ANY_PORT,
        "web": ANY_PORT,
        "reports": folder / "reports",
        "span_days": 4000.0,
        "fact_days": 4000.0,
    }
    with Application(Settings(**{**values, **settings})) as running:
        yield running


@dataclass(frozen=True)
class ServerProcess:
    """``tracelith serve`` as a process."""

    process: subprocess.Popen[str]
    grpc: str
    http: str
    web: str


def server_command(db: Path) -> list[str]:
    """The command line of ``tracelith serve`` on the file, on free loopback ports."""
    command = [sys.executable, "-m", "tracelith", "serve", "--db", str(db), "--reports", str(db.parent / "reports")]
    return [*command, "--grpc", ANY_PORT, "--http", ANY_PORT, "--web", ANY_PORT]


def server_environment(**settings: object) -> dict[str, str]:
    """The environment of a server with these settings."""
    # Traces of tests lie months back: with the usual retention, whether they are still there would be a race.
    given = {"span_days": 4000, "fact_days": 4000, **settings}
    return {**os.environ, **{f"TRACELITH_{name.upper()}": str(value) for name, value in given.items()}}


@contextmanager
def server_process(db: Path, **settings: object) -> Iterator[ServerProcess]:
    """Starts ``tracelith serve`` on the file and waits until it listens; kills it in the end if it still runs."""
    environment = server_environment(**settings)
    process = subprocess.Popen(
        server_command(db), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield ServerProcess(process, *_addresses(process))
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def _addresses(process: subprocess.Popen[str]) -> tuple[str, str, str]:
    assert process.stdout is not None
    said = ""
    for _ in range(STARTUP_LINES):
        said += process.stdout.readline()
        if web := re.search(r"dashboard on http://(\S+)", said):
            receivers = re.search(r"OTLP/gRPC on (\S+), OTLP/HTTP on (\S+)", said)
            assert receivers is not None, said
            return receivers[1], receivers[2], web[1]
    raise AssertionError(f"the server did not start: {said}")
