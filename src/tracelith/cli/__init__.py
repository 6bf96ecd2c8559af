"""The command line. Options and output are a contract that scripts rely on.

Exit codes: 0 fine, 1 findings at or above ``--fail-on``, 2 usage or unreadable input, 3 an analysis failed (the
others still report), 130 interrupted.
"""

import logging
import sys
from collections.abc import Sequence

import typer

from tracelith.cli.analysing import analyze
from tracelith.cli.benchmarks import bench
from tracelith.cli.importing import deployments, import_traces
from tracelith.cli.reporting import report
from tracelith.cli.serving import demo, serve
from tracelith.cli.simulating import simulate
from tracelith.model.errors import TracelithError

__all__ = ["app", "main", "run"]

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


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; an error raised on purpose becomes one message."""
    try:
        app(list(arguments))
    except SystemExit as ended:  # how the library hands over an exit code, 2 for wrong usage
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except TracelithError as error:
        sys.stderr.write(f"tracelith: {error}\n")
        return 2
    except OSError as error:
        if error.filename is None:  # not about a file that was named: a defect of ours
            raise
        sys.stderr.write(f"tracelith: {error.filename}: {error.strerror}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def main() -> None:
    """The console script."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # its INFO is about its own workings
    sys.exit(run(sys.argv[1:]))
