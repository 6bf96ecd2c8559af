"""``tracelith serve`` and ``tracelith demo``: the whole program, for a team and for a first look."""

import errno
import signal
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import typer

from tracelith.app import Application
from tracelith.cli.progress import bar
from tracelith.cli.server_client import RunningServer
from tracelith.config import Settings, load_settings
from tracelith.ingest.otlp_grpc import EXPORT
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import ConfigurationError, StoreFull
from tracelith.simulate import Simulation, simulate

__all__ = ["run_demo", "run_server"]

EXPORT_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 15.0
SPACE_EVERY_S = 5.0


def run_server(given: Mapping[str, Any], config: Path | None) -> None:
    """Runs the whole program until signalled, with the settings given, None for not given, and those of the file.

    When the disk is full it closes its ports and the file, and starts again once there is space.
    """
    settings = load_settings(given, config)
    with _until_signalled() as stop:
        running = False
        while not stop.is_set():
            try:
                with Application(settings) as application:
                    # The same ports after a full disk, also if any free ones were asked for: senders know them.
                    addresses = ("grpc", "http", "web")
                    settings = settings.model_copy(
                        update={name: getattr(application, f"{name}_address") for name in addresses}
                    )
                    running = True
                    _say(f"receiving OTLP/gRPC on {settings.grpc}, OTLP/HTTP on {settings.http}")
                    _say(f"dashboard on http://{settings.web}")
                    application.wait(stop)
                    _say("stopping: committing what was received")
            except (StoreFull, OSError) as error:
                if not running or (isinstance(error, OSError) and error.errno != errno.ENOSPC):
                    raise
                _say(f"closed: {error} Trying again every {SPACE_EVERY_S:.0f} s.")
                stop.wait(SPACE_EVERY_S)


def run_demo(*, traces: int, weeks: int, browser: bool, stay: bool) -> None:
    """Sends the simulated login system through the real receiver and summarises what is found."""
    simulation = simulate("login", weeks=weeks, traces=traces)
    with (
        _until_signalled() as stop,
        tempfile.TemporaryDirectory(prefix="tracelith-demo-") as folder,
        _demo_application(Path(folder)) as application,
    ):
        _send(simulation, application.grpc_address, stop)
        _tell_deployments(simulation, application)
        with bar("analysing") as advance:
            application.engine.analyse_stale(0.0, on_progress=_stoppable(advance, stop))
        start_ns, end_ns = application.store.period() or (0, 0)
        _summarise(application.engine.conclude(None, start_ns, end_ns))
        url = f"http://{application.web_address}/"
        _say(f"\nThe dashboard is at {url}")
        if browser and stay:
            webbrowser.open(url)
        if stay:
            _say("Press Ctrl-C to end.")
            application.wait(stop)


def _demo_application(folder: Path) -> Application:
    """Beside a real server: any free ports for the receivers, and for the dashboard if its usual one is taken."""
    usual = Settings.model_fields["web"].default
    for web in (usual, "127.0.0.1:0"):
        settings = Settings(
            db=folder / "demo.duckdb",
            grpc="127.0.0.1:0",
            http="127.0.0.1:0",
            web=web,
            reports=folder / "reports",
            span_days=400.0,  # simulated weeks lie in the past and must outlast the demo
        )
        try:
            return Application(settings)
        except ConfigurationError:
            if web != usual:
                raise
    raise AssertionError("the loop returns or raises")


def _send(simulation: Simulation, address: str, stop: threading.Event) -> None:
    with grpc.insecure_channel(address) as channel, bar("simulating and sending") as bar_advance:
        advance = _stoppable(bar_advance, stop)
        grpc.channel_ready_future(channel).result(READY_TIMEOUT_S)
        export = channel.unary_unary(EXPORT)
        spans = 0
        started = time.monotonic()
        for batch in simulation.batches():
            export(batch.payload, timeout=EXPORT_TIMEOUT_S)
            spans += batch.spans
            advance(batch.traces_done, simulation.traces)
    _say(f"{spans:,} spans simulated, sent over OTLP/gRPC and stored in {time.monotonic() - started:.1f} s")


def _stoppable(advance: Callable[[int, int], None], stop: threading.Event) -> Callable[[int, int], None]:
    """Advances, or ends what it is called from once the event is set.

    Python's own KeyboardInterrupt may be raised inside a library that swallows it.
    """

    def step(done: int, total: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        advance(done, total)

    return step


def _tell_deployments(simulation: Simulation, application: Application) -> None:
    body = [
        {"timestamp": deployment.at_us / 1e6, "service": deployment.service, "version": deployment.version}
        for deployment in simulation.deployments
    ]
    answer = RunningServer(application.web_address, application.http_address).post_json("/api/v1/deployments", body)
    _say(f"{answer['added']} deployments posted to the API")


def _summarise(document: AnalysisDocument) -> None:
    _say(f"\n{document['verdict']['sentence']}\n")
    for finding in document["findings"]:
        _say(f"  {finding['severity']:8}  {finding['title']}")


def _say(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()


@contextmanager
def _until_signalled() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal takes its usual effect."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def signalled(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in numbers:
        signal.signal(number, signalled)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, before[number])
