"""``tracelith serve`` as a process of its own, watched from outside: the whole product, and nothing but it.

Memory and CPU time come from Linux's ``/proc``; peak memory is the kernel's own high-water mark, which misses nothing
between two looks.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tracelith.config import ENVIRONMENT_PREFIX, Settings, load_settings
from tracelith.model.errors import ConfigurationError, ServerFailed

__all__ = ["ServerProcess", "running_server", "server_settings"]

ANY_PORT = "127.0.0.1:0"
START_LINES = 20
STOP_TIMEOUT_S = 120.0
LOG_TAIL = 2000
MIB = 1 << 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server.

    Attributes:
        grpc, web: addresses it listens on. database: its file. log: what it writes to standard error.
    """

    process: subprocess.Popen[str]
    grpc: str
    web: str
    database: Path
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time since it started, with that of the processes it began."""
        return sum(map(_cpu_ticks, self._processes())) / TICKS_PER_S

    def memory_mib(self) -> float:
        """Resident set now, with that of the process that analyses while there is one."""
        return self._status_mib("VmRSS")

    def peak_memory_mib(self) -> float:
        """Largest resident set so far, with that of the process that analyses while there is one."""
        return self._status_mib("VmHWM")

    def database_mib(self) -> tuple[float, float]:
        """Size of the database file and of its write-ahead log."""
        return _size_mib(self.database), _size_mib(self.database.with_name(self.database.name + ".wal"))

    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """Ends it with SIGTERM, and waits until everything is committed.

        Raises:
            ServerFailed: it ended with another code than 0, or did not end in time.
        """
        self.process.terminate()
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise ServerFailed(f"the server did not end within {STOP_TIMEOUT_S:.0f} s of SIGTERM") from error
        if code:
            raise self.failure(f"the server ended with code {code}")

    def failure(self, what: str) -> ServerFailed:
        """An error that says what happened, with the end of the server's log."""
        return ServerFailed(f"{what}; its log ends:\n{_tail(self.log)}")

    def _status_mib(self, name: str) -> float:
        return round(sum(_status_kib(pid, name) for pid in self._processes()) / 1024, 1)

    def _processes(self) -> list[int]:
        """The server, and the processes it began that still run."""
        pid = self.process.pid
        threads = Path(f"/proc/{pid}/task").iterdir()
        return [pid, *(int(child) for thread in threads for child in _read(thread / "children").split())]


def server_settings(folder: Path, options: Mapping[str, str]) -> Settings:
    """The settings a server in this folder will have: those given, those of the environment, and any free ports.

    Raises:
        ConfigurationError: there is no such setting, its value cannot be used, or this system has no /proc.
    """
    if not Path("/proc/self/stat").exists():
        raise ConfigurationError("memory and CPU time of a server can be read on Linux only; --against needs neither")
    places = {"db": folder / "bench.duckdb", "reports": folder / "reports"}
    return load_settings({**options, **places, "grpc": ANY_PORT, "http": ANY_PORT, "web": ANY_PORT})


@contextmanager
def running_server(settings: Settings, options: Mapping[str, str]) -> Iterator[ServerProcess]:
    """A server that listens; it is killed in the end if it still runs.

    Args:
        settings: those of server_settings. options: the settings given, which the server reads from its environment.

    Raises:
        ServerFailed: it did not start.
    """
    log = settings.db.with_name("server.log")
    command = [sys.executable, "-m", "tracelith", "serve", "--db", str(settings.db), "--reports", str(settings.reports)]
    command += ["--grpc", settings.grpc, "--http", settings.http, "--web", settings.web]
    environment = {**os.environ, **{f"{ENVIRONMENT_PREFIX}{key.upper()}": value for key, value in options.items()}}
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the benchmark, which then ends the server in its own time
        )
    try:
        grpc, web = _addresses(process, log)
        yield ServerProcess(process, grpc, web, settings.db, log)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _addresses(process: subprocess.Popen[str], log: Path) -> tuple[str, str]:
    said = ""
    for _ in range(START_LINES):
        said += process.stdout.readline() if process.stdout is not None else ""
        grpc, web = re.search(r"OTLP/gRPC on ([^\s,]+)", said), re.search(r"dashboard on http://(\S+)", said)
        if grpc and web:
            return grpc[1], web[1]
    raise ServerFailed(f"the server did not start; it said:\n{said}{_tail(log)}")


def _cpu_ticks(pid: int) -> int:
    """Of the process and of those of its children that have ended; 0 once it has, as its parent counts it then."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def _status_kib(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", _read(Path(f"/proc/{pid}/status")), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    """What /proc says, nothing of a thread or process that has ended just now."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _size_mib(path: Path) -> float:
    try:
        return round(path.stat().st_size / MIB, 2)
    except FileNotFoundError:
        return 0.0


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL:]
