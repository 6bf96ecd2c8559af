"""The command line. Options and output are a contract that scripts rely on.

Exit codes: 0 fine, 1 findings at or above ``--fail-on``, 2 usage or unreadable input, 3 an analysis failed (the
others still report), 130 interrupted.
"""

import logging
import sys

import typer

from tracelith.cli.analysing import analyze
from tracelith.cli.benchmarks import bench
from tracelith.cli.importing import deployments, import_traces
from tracelith.cli.reporting import report
from tracelith.cli.serving import demo, serve
from tracelith.cli.simulating import simulate
from tracelith.model.errors import TracelithError

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tells from OpenTelemetry traces whether your microservices are a distributed monolith.",
)
app.command("demo")(demo)
app.command("serve")(serve)
app.command("import")(import_traces)
app.add_typer(deployments, name="deployments")
app.command("analyze")(analyze)
app.command("report")(report)
app.command("simulate")(simulate)
app.add_typer(bench, name="bench")


def main() -> None:
    """Runs the command line; errors raised on purpose become one message and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        app()
    except TracelithError as error:
        sys.stderr.write(f"tracelith: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
