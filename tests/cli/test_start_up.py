"""A command line is there at once: it imports what a command needs when that command runs."""

import subprocess
import sys
from typing import Any, get_args

import pytest
from typer.main import get_command

from tracelith.cli import app, options
from tracelith.config import Settings
from tracelith.report.delivery import FORMATS
from tracelith.simulate import DEFAULT_TRACES, DEFAULT_WEEKS, SYSTEMS
from tracelith.simulate.systems import RANDOM_SYSTEMS

SLOW_TO_IMPORT = {"duckdb", "fastapi", "grpc", "numpy", "plotly", "polars", "scipy"}
PATIENCE_S = 60.0


def parameters_of(command: str) -> dict[str, Any]:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # the app is a group
    return {parameter.name: parameter for parameter in commands[command].params}


@pytest.mark.parametrize(
    "code",
    [
        "import tracelith.cli",
        "from tracelith.cli import run; assert run(['--help']) == 0",
        "from tracelith.cli import run; assert run(['analyze', '--help']) == 0",
        "from tracelith.cli import run; assert run(['simulate', 'nothing', '--out', 'x']) == 2",
    ],
)
def test_help_and_wrong_usage_import_no_library_for_numbers_charts_or_servers(code: str) -> None:
    report = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"

    ended = subprocess.run(
        [sys.executable, "-c", f"{code}; {report}"], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )

    imported = set(ended.stdout.splitlines()[-1].split())
    assert {"tracelith", "typer"} <= imported
    assert imported & SLOW_TO_IMPORT == set()


def test_the_defaults_and_choices_are_those_of_the_packages_that_own_them() -> None:
    fields = Settings.model_fields

    stated = {name: parameters_of("serve")[name].show_default for name in ("grpc", "http", "web", "reports")}

    assert stated == {name: str(fields[name].default) for name in stated}
    assert fields["db"].default == options.DEFAULT_DB
    assert (options.DEFAULT_WEEKS, options.DEFAULT_TRACES) == (DEFAULT_WEEKS, DEFAULT_TRACES)
    assert set(get_args(options.SystemName)) == {*SYSTEMS, *RANDOM_SYSTEMS}
    assert set(get_args(options.ReportFormat)) == set(FORMATS)


@pytest.mark.parametrize("library", ["typer", "polars"])
def test_an_interrupt_while_libraries_load_ends_the_program_without_a_traceback(library: str) -> None:
    # The import itself interrupts: a signal after some time would hit something else on another machine.
    code = f"""
import os, runpy, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == {library!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["analyze", "."]
runpy.run_module("tracelith", run_name="__main__")
"""

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
